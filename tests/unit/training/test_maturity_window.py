"""The window of stored decisions, now or at a time in the past."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from training.__main__ import cli
from training.data.maturity_window import Window

MARCH = datetime.fromisoformat("2026-03-01T01:00:00+01:00")


def test_a_window_without_a_time_ends_now_and_names_none() -> None:
    window = Window(30.0, 90.0)
    assert abs(datetime.now(UTC) - window.end()) < timedelta(minutes=1)
    assert str(window) == "30 to 120 days old"
    assert window.facts() == {"maturity_days": 30.0, "window_days": 90.0}


def test_a_window_at_a_time_names_it_in_words_and_in_the_run() -> None:
    window = Window(0.0, 7.5, MARCH)
    assert window.end() == MARCH
    assert str(window) == "0 to 7.5 days old on 2026-03-01 00:00"
    assert window.facts()["as_of"] == "2026-03-01T01:00:00+01:00"


@pytest.mark.parametrize("command", ["compare", "promote", "calibrate"])
@pytest.mark.parametrize(
    ("moment", "reason"),
    [
        ("yesterday", "'yesterday' is not an ISO 8601 time"),
        ("9999-01-01", "it must be a time from 1970 until now"),
        ("1969-12-31T23:59:59", "it must be a time from 1970 until now"),
    ],
)
def test_a_time_that_has_not_been_is_a_usage_error(command: str, moment: str, reason: str) -> None:
    done = CliRunner().invoke(cli, [command, "--tenant", "acme", "--as-of", moment])
    assert done.exit_code == 2
    assert reason in " ".join(done.output.split())

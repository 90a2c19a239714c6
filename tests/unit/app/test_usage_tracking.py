"""BentoML's usage tracking ends when the service is imported."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from bentoml._internal.utils.analytics import usage_stats

from app.usage_tracking import disable_usage_tracking


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # Sets the variable so that it is restored afterwards, whatever the test leaves.
    monkeypatch.setenv("BENTOML_DO_NOT_TRACK", "")
    yield
    usage_stats.do_not_track.cache_clear()


@pytest.mark.parametrize("value", ["", "1", "False"])
def test_no_event_is_sent_although_bentoml_has_decided_to_track(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENTOML_DO_NOT_TRACK", value)
    usage_stats.do_not_track.cache_clear()
    assert not usage_stats.do_not_track(), "as the command line does before it imports the service"
    disable_usage_tracking()
    assert usage_stats.do_not_track()

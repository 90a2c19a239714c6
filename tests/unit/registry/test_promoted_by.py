"""A version's tags name who promoted it; a tag that cannot be read names nobody."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from registry.client.base import RegisteredVersion
from registry.names import PROMOTED_AT_TAG, PROMOTED_BY_TAG, PROMOTED_VIA_TAG
from registry.promoted_by import MAX_COMMAND_LENGTH, MAX_USER_LENGTH, PromotedBy, promoted_by

AT = "2026-01-02T10:00:00+01:00"


def promoted(by: str | None, at: str | None, via: str | None = None) -> RegisteredVersion:
    tags = {PROMOTED_BY_TAG: by, PROMOTED_AT_TAG: at, PROMOTED_VIA_TAG: via}
    return RegisteredVersion("fraud-demo", 1, 0, {k: v for k, v in tags.items() if v is not None})


def test_the_tags_name_user_command_and_time() -> None:
    at = datetime(2026, 1, 2, 9, tzinfo=UTC)
    assert promoted_by(promoted("anna", AT, "sentinel demo")) == PromotedBy(
        "anna", "sentinel demo", at
    )


@pytest.mark.parametrize("via", [None, "", "\x00 "])
def test_tags_may_name_no_command(via: str | None) -> None:
    promoter = promoted_by(promoted("anna", AT, via))
    assert promoter is not None
    assert promoter.via is None


@pytest.mark.parametrize(
    ("by", "at"),
    [(None, AT), ("", AT), (" \n", AT), ("\x00", AT), ("anna", None), ("anna", "monday")],
)
def test_tags_that_are_missing_or_malformed_name_nobody(by: str | None, at: str | None) -> None:
    assert promoted_by(promoted(by, at)) is None


def test_names_are_stored_without_control_characters_and_not_longer_than_a_name() -> None:
    long = "an\x00n\na" + "x" * 10_000
    promoter = promoted_by(promoted(long, AT, long))
    assert promoter is not None
    assert promoter.user == ("anna" + "x" * 10_000)[:MAX_USER_LENGTH]
    assert promoter.via == ("anna" + "x" * 10_000)[:MAX_COMMAND_LENGTH]

"""A fault that lasts is logged once when it begins, when its reason changes and when it ends."""

from __future__ import annotations

import logging

import pytest

from persistence.outage import Outage


def test_an_outage_is_logged_at_its_beginning_and_end(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage(logging.getLogger("sentinel.test"), "reading")
    outage.is_over()
    for _ in range(3):
        outage.goes_on("no network")
    outage.goes_on("no login")
    outage.is_over()
    outage.is_over()
    outage.goes_on("no login")
    assert [record.getMessage() for record in caplog.records] == [
        "reading: no network",
        "reading: no login",
        "reading: works again",
        "reading: no login",
    ]

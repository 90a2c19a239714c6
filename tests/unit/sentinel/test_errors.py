"""The messages that commands print: a sentence, and the command that helps."""

from __future__ import annotations

import pytest

from persistence.maintenance.maintenance import MaintenanceError, PauseTooShort
from scoring.errors import NotFound, SchemaMissing, SentinelError, TenantNotFound
from sentinel.errors import sentence


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            TenantNotFound("acme"),
            "There is no tenant 'acme'; `sentinel tenants create acme` makes one.",
        ),
        (
            SchemaMissing(),
            "The database has not this release's schema; run `sentinel db upgrade`.",
        ),
        (
            PauseTooShort("Nothing was changed."),
            "Nothing was changed; let it wait longer with --pause, when few payments come.",
        ),
        (MaintenanceError("Run it again."), "Run it again."),
        (NotFound("There is no prediction 5."), "There is no prediction 5."),
    ],
)
def test_the_command_that_helps_follows_the_sentence(
    error: SentinelError | MaintenanceError, expected: str
) -> None:
    assert sentence(error) == expected

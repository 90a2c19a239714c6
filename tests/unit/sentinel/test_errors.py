"""Foreseeable errors of a command are one sentence on stderr and exit status 1."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from persistence.connection.url import DatabaseUrlError
from persistence.maintenance import maintenance
from registry.client.base import RegistryUnavailable
from registry.client.factory import TrackingUriError
from scoring.errors import SchemaMissing, StoreUnavailable, UnknownTenant
from sentinel.cli.main import main
from sentinel.errors import CommandGroup
from sentinel.settings import SettingsError
from training.errors import NoEvidence

FORESEEABLE = (
    *(DatabaseUrlError, NoEvidence, RegistryUnavailable, SettingsError, StoreUnavailable),
    *(TrackingUriError, maintenance.MaintenanceError),
)


def run(error: Exception) -> tuple[int, str, BaseException | None]:
    def fail() -> None:
        raise error

    group = CommandGroup(commands={"fail": click.Command("fail", callback=fail)})
    done = CliRunner().invoke(group, ["fail"])
    return done.exit_code, done.stderr, done.exception


@pytest.mark.parametrize("kind", FORESEEABLE)
def test_a_foreseeable_error_is_its_sentence_and_status_1(kind: type[Exception]) -> None:
    assert run(kind("One sentence."))[:2] == (1, "Error: One sentence.\n")


def test_an_unknown_tenant_comes_with_the_command_that_makes_it() -> None:
    sentence = "There is no tenant 'acme'; `sentinel tenants create acme` makes one."
    assert run(UnknownTenant("acme"))[:2] == (1, f"Error: {sentence}\n")


def test_a_missing_schema_comes_with_the_command_that_makes_it() -> None:
    assert "run `sentinel db upgrade`." in run(SchemaMissing())[1]


def test_an_error_of_ours_keeps_its_traceback() -> None:
    error = KeyError("unforeseen")
    assert run(error)[2] is error


@pytest.mark.parametrize("command", ["maintain", "upgrade"])
def test_a_pause_that_is_too_short_comes_with_the_option_that_sets_it(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_named: object) -> None:
        raise maintenance.PauseTooShort("Scoring would have to wait.")

    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setattr("persistence.maintenance.maintenance.maintain", fail)
    monkeypatch.setattr("persistence.maintenance.migrate.upgrade", fail)
    done = CliRunner().invoke(main, ["db", command])
    expected = "Scoring would have to wait; set a longer --pause, at a time with few payments"
    assert (done.exit_code, done.stderr) == (1, f"Error: {expected}.\n")

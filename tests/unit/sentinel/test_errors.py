"""Foreseeable errors of a command are one sentence on stderr and exit status 1."""

from __future__ import annotations

import errno
import re

import click
import pytest
from click.testing import CliRunner

from persistence.connection.url import DatabaseUrlError
from persistence.maintenance.errors import MaintenanceError, PauseTooShort
from registry.client.address import TrackingUriError
from registry.client.base import RegistryUnavailable
from scoring.errors import (
    FieldError,
    InvalidRequest,
    SchemaMissing,
    StoreUnavailable,
    UnknownTenant,
    invalid_request,
)
from sentinel.cli.main import main
from sentinel.errors import DEBUG, CommandGroup
from sentinel.settings import Settings, SettingsError
from training.errors import NoEvidence

FORESEEABLE = (
    *(DatabaseUrlError, NoEvidence, RegistryUnavailable, SettingsError, StoreUnavailable),
    *(TrackingUriError, MaintenanceError),
)


def run(error: BaseException, *arguments: str) -> tuple[int, str]:
    def fail() -> None:
        raise error

    below = click.Group("below", commands={"fail": click.Command("fail", callback=fail)})
    group = CommandGroup(commands={"below": below})
    done = CliRunner().invoke(group, arguments or ["below", "fail"])
    return done.exit_code, done.stderr


@pytest.fixture(autouse=True)
def no_debug(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --debug; restored after a test that gives it."""
    monkeypatch.setenv(DEBUG, "0")


@pytest.mark.parametrize("kind", FORESEEABLE)
def test_a_foreseeable_error_is_its_sentence_and_status_1(kind: type[Exception]) -> None:
    assert run(kind("One sentence.")) == (1, "Error: One sentence.\n")


def test_an_unknown_tenant_comes_with_the_command_that_makes_it() -> None:
    sentence = "There is no tenant 'acme'; `sentinel tenants create acme` makes one."
    assert run(UnknownTenant("acme")) == (1, f"Error: {sentence}\n")


def test_a_request_that_is_not_valid_names_each_field_with_its_fault() -> None:
    errors = [FieldError("entity", "must be one"), FieldError("fields.0", "must be a field")]
    assert run(invalid_request(errors))[1] == (
        "Error: entity must be one; fields.0 must be a field.\n"
    )
    named = InvalidRequest("The name is too long.", errors=(FieldError("name", "is too long"),))
    assert run(named)[1] == "Error: The name is too long.\n"


def test_a_missing_schema_comes_with_the_command_that_makes_it() -> None:
    assert "run `sentinel db upgrade`." in run(SchemaMissing())[1]


def test_an_error_of_ours_is_one_sentence_too() -> None:
    assert run(KeyError("unforeseen")) == (
        1,
        "Error: An error of Sentinel itself (KeyError: 'unforeseen'). With --debug the command "
        "shows where it happened.\n",
    )


@pytest.mark.parametrize(
    "arguments",
    [("--debug", "below", "fail"), ("below", "--debug", "fail"), ("below", "fail", "--debug")],
)
@pytest.mark.parametrize("error", [KeyError("unforeseen"), SettingsError("One sentence.")])
def test_debug_shows_the_traceback_wherever_it_stands(
    arguments: tuple[str, ...], error: Exception
) -> None:
    status, output = run(error, *arguments)
    assert status == 1
    assert output.startswith("Traceback (most recent call last):\n")
    assert output.splitlines()[-1].startswith("Error: ")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "/x/y"),
            "The disk is full: /x/y cannot be written.",
        ),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "The disk is full: the output cannot be"),
        (OSError(errno.EROFS, "Read-only file system", "/x"), "/x is on a read-only file system; "),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), "has no permission for /x."),
        (FileExistsError(errno.EEXIST, "File exists", "/x"), "/x is a file or lies below one; a"),
        (IsADirectoryError(errno.EISDIR, "Is a directory", "/x"), "/x: Is a directory."),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), "Connection refused."),
        (ModuleNotFoundError("x", name="pandas.core"), "The package pandas is needed and not"),
        (ImportError("libgomp.so.1: cannot open"), "is damaged (libgomp.so.1: cannot open)"),
        (MemoryError(), "The memory of this machine or container does not suffice"),
        (RuntimeError("cannot cache function 'f': no locator"), "set NUMBA_CACHE_DIR to one"),
        (RuntimeError("Could not determine home directory."), "no home directory"),
    ],
)
def test_an_error_of_the_environment_comes_with_what_to_do(error: Exception, sentence: str) -> None:
    status, output = run(error)
    assert status == 1
    assert sentence in output
    assert len(output.splitlines()) == 1


def test_a_missing_module_of_ours_is_not_a_missing_package() -> None:
    assert "is damaged" in run(ModuleNotFoundError("no module", name="training.gone"))[1]


def test_control_characters_are_shown_as_escapes() -> None:
    assert run(SettingsError("a\x1b[31mb\x00\nsecond line"))[1] == (
        "Error: a\\x1b[31mb\\x00\nsecond line\n"
    )


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SENTINEL_ALIAS_POLL_SECONDS", "soon"),
        ("SENTINEL_MODELS_IN_MEMORY", "0"),
        ("SENTINEL_LOG_LEVEL", "loud"),
    ],
)
def test_a_setting_that_is_not_valid_is_named(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as error:
        Settings()
    assert str(error.value).startswith(f"{variable} is {value!r}: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("home", "sentence"),
    [
        ("~nobody-of-that-name/x", "SENTINEL_HOME=~nobody-of-that-name/x cannot be used"),
        ("a?b", "has a question mark"),
    ],
)
def test_a_home_that_cannot_be_used_is_named(
    home: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENTINEL_HOME", home)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(SettingsError, match=re.escape(sentence)):
        _ = Settings().tracking_uri


@pytest.mark.parametrize("command", ["maintain", "upgrade"])
def test_a_pause_that_is_too_short_comes_with_the_option_that_sets_it(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_named: object) -> None:
        raise PauseTooShort("Scoring would have to wait.")

    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setattr("persistence.maintenance.maintenance.maintain", fail)
    monkeypatch.setattr("persistence.maintenance.migrate.upgrade", fail)
    done = CliRunner().invoke(main, ["db", command])
    expected = "Scoring would have to wait; set a longer --pause, at a time with few payments"
    assert (done.exit_code, done.stderr) == (1, f"Error: {expected}.\n")

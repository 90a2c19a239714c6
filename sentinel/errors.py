"""End a command on any error: one sentence on stderr and an exit status; a traceback on `--debug`.

Used by `sentinel`, by `python -m training` and by `python -m benchmarks`. The exit statuses: 1 for
an error, 2 for a usage error (click's), 130 after Ctrl-C, 141 when nobody reads the output any
more (`| head`); the last two are those of a shell.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from scoring.errors import (
    CommandError,
    InvalidRequest,
    SentinelError,
    UnknownTenant,
    invalid_request,
)
from scoring.printable import printable
from scoring.redaction import redacted
from sentinel.command_process import complete_account, drop_unwritable_output, prepare_streams
from sentinel.sentences import foreseen

DEBUG = "SENTINEL_DEBUG"
"""Environment variable that is set by `--debug`, so that started programs show theirs too."""


@contextmanager
def translate_errors() -> Iterator[None]:
    """Translate any error into click's, which is printed as one sentence.

    Raises:
        click.ClickException: in place of an error.
        click.exceptions.Exit: in place of a KeyboardInterrupt, or when stdout cannot be written.
    """
    try:
        yield
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except KeyboardInterrupt as error:
        _show_traceback(error)
        with contextlib.suppress(OSError):
            click.echo("Interrupted.", err=True)
        raise click.exceptions.Exit(128 + signal.SIGINT) from error
    except BrokenPipeError as error:
        drop_unwritable_output()
        raise click.exceptions.Exit(128 + signal.SIGPIPE) from error
    except Exception as error:
        _show_traceback(error)
        raise click.ClickException(sentence(error)) from error


def sentence(error: Exception) -> str:
    """Return what to print for an error: its message, or a sentence about an error of a library.

    Control characters other than line feeds, as in the name of a file, are shown as escapes.
    """
    match error:
        case UnknownTenant():
            text = f"{str(error).rstrip('.')}; `sentinel tenants create {error.slug}` makes one."
        case InvalidRequest(errors=errors) if str(error) == str(invalid_request(errors)):
            # Its own sentence only names the fields.
            text = "; ".join(f"{one.field} {one.message}" for one in errors) + "."
        case SentinelError() | CommandError():
            text = redacted(str(error))
        case _:
            text = foreseen(error) or (
                f"An error of Sentinel itself ({type(error).__name__}: {_first_line(error)}). "
                "With --debug the command shows where it happened."
            )
    return "\n".join(map(printable, text.split("\n")))


class Command(click.Command):
    """A command that `translate_errors` surrounds, with the option `--debug`."""

    def __init__(self, *args: Any, **extra: Any) -> None:  # noqa: ANN401 - click's
        super().__init__(*args, **extra)
        _with_debug(self)

    def main(self, *args: Any, **extra: Any) -> Any:  # noqa: ANN401 - click's
        """Run the command line and exit with its status."""
        prepare_streams()
        complete_account()
        try:
            return super().main(*args, **extra)
        finally:
            drop_unwritable_output()

    def make_context(self, *args: Any, **extra: Any) -> click.Context:  # noqa: ANN401 - click's
        """Parse the command line; `--help` prints here."""
        with translate_errors():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's
        """Run the command of the command line."""
        with translate_errors():
            return super().invoke(ctx)


class CommandGroup(Command, click.Group):
    """A group of such commands; each has the option `--debug`, wherever it is defined."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command of the command line, with `--debug`."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command and _with_debug(command), rest


def _with_debug(command: click.Command) -> click.Command:
    """Add `--debug` to a command and to those below it."""
    if not any(option.name == "debug" for option in command.params):
        command.params.append(
            click.Option(
                ["--debug"],
                is_flag=True,
                expose_value=False,
                is_eager=True,
                callback=_set_debug,
                help=f"Show the traceback of an error; also with {DEBUG}=1.",
            )
        )
    if isinstance(command, click.Group):
        for below in command.commands.values():
            _with_debug(below)
    return command


def _set_debug(_context: click.Context, _option: click.Parameter, value: bool) -> None:
    if value:
        os.environ[DEBUG] = "1"


def is_debugging() -> bool:
    """Return whether tracebacks are shown."""
    return os.environ.get(DEBUG, "").lower() not in {"", "0", "false", "no"}


def _show_traceback(error: BaseException) -> None:
    if is_debugging() and sys.stderr is not None:
        traceback.print_exception(error, file=sys.stderr)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["no message"])[0][:300].rstrip(".")

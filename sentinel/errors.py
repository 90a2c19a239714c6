"""End a command on a foreseeable error: one sentence on stderr, exit status 1.

Used by `sentinel`, by `python -m training` and by `python -m benchmarks`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from scoring.errors import CommandError, SentinelError, UnknownTenant


@contextmanager
def translate_errors() -> Iterator[None]:
    """Translate the errors of `scoring.errors` into click's, which prints one sentence.

    Raises:
        click.ClickException: in place of a SentinelError or a CommandError.
    """
    try:
        yield
    except UnknownTenant as error:
        raise click.ClickException(
            f"{str(error).rstrip('.')}; `sentinel tenants create {error.slug}` makes one."
        ) from error
    except (SentinelError, CommandError) as error:
        raise click.ClickException(str(error)) from error


class CommandGroup(click.Group):
    """A group whose commands end on foreseeable errors as `translate_errors` says."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's
        """Run the command that was named."""
        with translate_errors():
            return super().invoke(ctx)

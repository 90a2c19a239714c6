"""End a command on an expected error: one sentence on stderr, exit status 1.

Used by `sentinel`, by `python -m training` and by `python -m benchmarks`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from scoring.errors import CommandError, SentinelError, UnknownTenant
from scoring.redaction import redacted


@contextmanager
def translate_errors() -> Iterator[None]:
    """Translate the errors of `scoring.errors` into click's, which are printed as one sentence.

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
        raise click.ClickException(redacted(str(error))) from error


class CommandGroup(click.Group):
    """A group of commands whose expected errors `translate_errors` translates."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's
        """Run the command of the command line."""
        with translate_errors():
            return super().invoke(ctx)

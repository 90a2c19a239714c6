"""Refuse a command that reads files where the packages for training are missing."""

from __future__ import annotations

from importlib.util import find_spec

import click


def require_training() -> None:
    """Check that the packages for training are installed.

    Raises:
        click.ClickException: they are not, as in the service's image.
    """
    if not (find_spec("training") and find_spec("pyarrow")):
        raise click.ClickException(
            "This command reads files with the packages for training: run it in a checkout after "
            "`make install`."
        )

"""Check that the interpreter has Sentinel's packages, before a command imports them."""

from __future__ import annotations

import sys
from importlib.util import find_spec


def require_packages() -> None:
    """End the process in one sentence if the packages are not installed for this interpreter.

    Raises:
        SystemExit: with status 1 and a sentence on stderr.
    """
    if find_spec("click") is None:
        raise SystemExit(
            f"Error: Sentinel's packages are not installed for {sys.executable}: run `make install`"
            " and use .venv/bin/python."
        )

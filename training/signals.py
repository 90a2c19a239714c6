"""Ctrl-C and SIGTERM end a command as an exception does, so that the open run is marked failed.

Python drops an exception that comes up inside a destructor or a callback of C code. So the wish is
remembered, and raised again at the next step of the work.
"""

from __future__ import annotations

import signal
import sys
from types import FrameType

_asked: set[int] = set()


def end_on_signals() -> None:
    """Handle SIGINT and SIGTERM from now on."""
    _asked.clear()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _handle)


def end_if_asked() -> None:
    """Raise again what was asked for and not heard.

    Raises:
        KeyboardInterrupt, SystemExit: SIGINT or SIGTERM has come.
    """
    for number in _asked:
        _raise(number)


def _handle(number: int, frame: FrameType | None) -> None:
    del frame
    _asked.add(number)
    _raise(number)


def _raise(number: int) -> None:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(128 + number)

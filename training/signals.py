"""Raise an exception on Ctrl-C and SIGTERM, so that the open run is marked failed.

Python drops an exception that is raised inside a destructor or a callback of C code. The signal is
therefore recorded, and the exception raised again at the next step of the work.
"""

from __future__ import annotations

import signal
import sys
from types import FrameType

_received: set[int] = set()


def end_on_signals() -> None:
    """Handle SIGINT and SIGTERM from now on."""
    _received.clear()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _handle)


def end_if_signalled() -> None:
    """Raise the exception of a signal that was received and whose exception was dropped.

    Raises:
        KeyboardInterrupt, SystemExit: SIGINT or SIGTERM was received.
    """
    for number in _received:
        _raise(number)


def _handle(number: int, frame: FrameType | None) -> None:
    del frame
    _received.add(number)
    _raise(number)


def _raise(number: int) -> None:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(128 + number)

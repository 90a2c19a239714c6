"""Move the wall clock of this process by the seconds in a file; see the package."""

from __future__ import annotations

import os
import time
from pathlib import Path

_FILE = Path(os.environ["MOVED_CLOCK_FILE"])
_time, _time_ns = time.time, time.time_ns


def _moved_by_s() -> float:
    return float(_FILE.read_text())


time.time = lambda: _time() + _moved_by_s()
time.time_ns = lambda: _time_ns() + int(_moved_by_s() * 1e9)

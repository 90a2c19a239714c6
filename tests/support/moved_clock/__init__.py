"""A wall clock that a test moves in another process, as `date --set` moves the machine's."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).parent


class MovedClock:
    """The clock of a process that is started with `environment`.

    Python imports `sitecustomize` before anything else, so `time.time` and `time.time_ns` are moved
    for every library; `datetime.now`, which is compiled, and the monotonic clock are not.

    Args:
        file: file that holds the seconds by which the clock is moved.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.environment = {"PYTHONPATH": str(_FOLDER), "MOVED_CLOCK_FILE": str(file)}
        self.move(0)

    def move(self, seconds: float) -> None:
        """Set how far the clock is moved, in place of what was set before."""
        unfinished = self._file.with_suffix(".new")
        unfinished.write_text(str(seconds))
        unfinished.replace(self._file)

"""Show the progress of a training: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from training.signals import end_if_signalled


class Reporter:
    """Display of one stage after another on a console; a context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Progress(
            SpinnerColumn(finished_text="[green]✓[/green]"),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[detail]}", markup=False),
            TimeElapsedColumn(),
            console=console,
            # Rich would print a warning to the console also where stderr is a file.
            redirect_stderr=sys.stderr.isatty(),
        )

    def __enter__(self) -> Reporter:
        if self._console.is_terminal:
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._console.is_terminal:
            self._bars.stop()

    @contextmanager
    def stage(self, title: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        """Show a stage until the block ends.

        Args:
            title: phrase that describes the stage.
            total: most steps of the stage, or None for a stage without steps.

        Yields:
            A function that takes the number of steps done and updates the display.

        Raises:
            KeyboardInterrupt, SystemExit: see `training.signals.end_if_signalled`.
        """
        end_if_signalled()
        started = time.monotonic()
        task = self._bars.add_task(title, total=total, detail="")

        def advance(done: int) -> None:
            end_if_signalled()
            self._bars.update(task, completed=done, detail=f"{done}/{total}")

        yield advance
        done = self._bars.tasks[task].completed or 1
        self._bars.update(task, total=done, completed=done)
        if not self._console.is_terminal:
            self._console.print(f"{title}: {time.monotonic() - started:.1f} s")

    def note(self, text: str) -> None:
        """Print a sentence that remains after the bars end."""
        self._console.print(text, soft_wrap=not self._console.is_terminal)

    def warn(self, text: str) -> None:
        """Print a warning to stderr."""
        print(f"Warning: {text}", file=sys.stderr, flush=True)

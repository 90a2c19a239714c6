"""Progress of a training: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from training.signals import end_if_asked


class Reporter:
    """Shows one stage after another on a console. A context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Progress(
            SpinnerColumn(finished_text="[green]✓[/green]"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[detail]}"),
            TimeElapsedColumn(),
            console=console,
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
            title: what is done, as a phrase.
            total: how many steps it has at most, or None when it has none.

        Yields:
            A function to call with the number of finished steps.

        Raises:
            KeyboardInterrupt, SystemExit: the end was asked for and not heard.
        """
        end_if_asked()
        started = time.monotonic()
        task = self._bars.add_task(title, total=total, detail="")

        def advance(done: int) -> None:
            end_if_asked()
            self._bars.update(task, completed=done, detail=f"{done}/{total}")

        yield advance
        done = self._bars.tasks[task].completed or 1
        self._bars.update(task, total=done, completed=done)
        if not self._console.is_terminal:
            self._console.print(f"{title}: {time.monotonic() - started:.1f} s", highlight=False)

    def note(self, text: str) -> None:
        """Say a sentence that stays."""
        self._console.print(text, highlight=False, soft_wrap=not self._console.is_terminal)

"""Print progress on the terminal, and handle the signals that stop a command."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from types import FrameType

from rich.console import Console

console = Console(highlight=False, soft_wrap=True)


@contextlib.contextmanager
def step(title: str) -> Iterator[None]:
    """Print the title of the block, and on a terminal how long the block took."""
    begun = time.monotonic()
    if console.is_terminal:
        with console.status(f"{title} ..."):
            yield
        console.print(f"[green]✓[/green] {title} [dim]{time.monotonic() - begun:.1f} s[/dim]")
    else:
        console.print(f"{title} ...")
        yield


def stop_on_signals() -> None:
    """Raise KeyboardInterrupt on Ctrl-C, SIGTERM and a closed terminal; ignore later signals.

    The handlers are set even where the signals were ignored, because a shell starts background
    commands with Ctrl-C ignored.
    """
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for number in signals:
            signal.signal(number, signal.SIG_IGN)
        with contextlib.suppress(OSError):
            console.print("\nStopping ...")
        raise KeyboardInterrupt

    for number in signals:
        signal.signal(number, interrupt)

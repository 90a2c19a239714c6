"""Print progress on the terminal, and handle the signals that stop a command."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Iterator
from types import FrameType

from rich.console import Console
from rich.text import Text


class _Console(Console):
    """Rich's console, with the exit status of `sentinel.errors` when nobody reads any more."""

    def on_broken_pipe(self) -> None:
        """Raise the error that Rich has caught."""
        raise BrokenPipeError


def open_console(*, soft_wrap: bool = False) -> Console:
    """Return a console that prints text as it is.

    Rich's own markup is off: a path or the name of a file may hold `[bold]` or `:bug:`, and `[/x]`
    would end the command. Pass a `Text` or `style` where a part is to be emphasised.

    Args:
        soft_wrap: whether long lines are left to the terminal, as in a log.
    """
    return _Console(markup=False, emoji=False, highlight=False, soft_wrap=soft_wrap)


console = open_console(soft_wrap=True)


@contextlib.contextmanager
def step(title: str) -> Iterator[Callable[[str], None]]:
    """Print the title of the block, and on a terminal how long the block took.

    Yields:
        A function that shows a phrase on the progress on a terminal.
    """
    begun = time.monotonic()
    if console.is_terminal:
        with console.status(Text(f"{title} ...")) as status:
            yield lambda detail: status.update(Text(f"{title} ... {detail}"))
        seconds = f"{time.monotonic() - begun:.1f} s"
        console.print(Text.assemble(("✓", "green"), f" {title} ", (seconds, "dim")))
    else:
        console.print(f"{title} ...")
        yield lambda _detail: None


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

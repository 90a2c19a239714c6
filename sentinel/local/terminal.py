"""The person at the keyboard: what the demo prints, and how they stop it."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from types import FrameType

from rich.console import Console

console = Console(highlight=False, soft_wrap=True)


@contextlib.contextmanager
def step(what: str) -> Iterator[None]:
    """Say what is going on, and on a terminal how long it took."""
    begun = time.monotonic()
    if console.is_terminal:
        with console.status(f"{what} ..."):
            yield
        console.print(f"[green]✓[/green] {what} [dim]{time.monotonic() - begun:.1f} s[/dim]")
    else:
        console.print(f"{what} ...")
        yield


def reach_loopback_directly() -> None:
    """Keep a proxy that the environment names out of the way between us and our own servers."""
    for variable in ("NO_PROXY", "no_proxy"):
        hosts = [os.environ.get(variable, ""), "127.0.0.1", "localhost"]
        os.environ[variable] = ",".join(host for host in hosts if host)


def stop_on_signals() -> None:
    """Let Ctrl-C, SIGTERM and a closed terminal end the demo; while it stops, more do nothing.

    Set even where they were ignored: a shell starts background commands with Ctrl-C ignored.
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

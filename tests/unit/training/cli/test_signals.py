"""A signal ends the training also where a library swallowed its exception."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress

import pytest

from training.signals import end_if_signalled, end_on_signals


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """The process's own handlers again afterwards."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    end_on_signals()  # forgets what was asked
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("number", "expected"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)]
)
def test_a_swallowed_signal_is_raised_again_at_the_next_step(
    number: signal.Signals, expected: type[BaseException]
) -> None:
    end_on_signals()
    end_if_signalled()
    with suppress(expected):
        os.kill(os.getpid(), number)
    with pytest.raises(expected):
        end_if_signalled()

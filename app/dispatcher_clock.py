"""Let BentoML's dispatcher measure its batches on the monotonic clock.

It takes the wall clock. After a clock was set forward by an hour, a batch seemed to take an hour,
and for as long as that was in its average, queued requests were refused: 471 in 12 s of a test
(`tests/e2e/serving/test_faults.py`).
"""

from __future__ import annotations

from time import monotonic
from types import SimpleNamespace

from bentoml._internal.marshal import dispatcher
from bentoml._internal.utils import alg

MODULES = (dispatcher, alg)
"""Modules that use `time.time()` for durations, and nothing else of `time`."""


def use_monotonic_clock() -> None:
    """Give the dispatchers of this process the monotonic clock; before the first one is made."""
    for module in MODULES:
        vars(module)["time"] = SimpleNamespace(time=monotonic)

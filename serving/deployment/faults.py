"""The registered models that cannot be followed now, and the reason of each."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError

from scoring.errors import SentinelError, StoreUnavailable

logger = logging.getLogger("sentinel.serving")

_FIRST_DELAY_S, _LONGEST_DELAY_S = 0.5, 30.0


class Faults:
    """The faults of registered models; each is logged when it begins, changes and ends.

    `update` is called by one thread; other threads read `by_model`.
    """

    def __init__(self) -> None:
        self._by_model: Mapping[str, str] = {}

    @property
    def by_model(self) -> Mapping[str, str]:
        """The reasons by registered model; empty when every one is followed."""
        return self._by_model

    def update(self, by_model: Mapping[str, str]) -> None:
        """Replace the faults by those of the latest poll."""
        for name, reason in by_model.items():
            if self._by_model.get(name) != reason:
                logger.warning("%s is not followed: %s", name, reason)
        for name in self._by_model.keys() - by_model.keys():
            logger.info("%s is followed again", name)
        self._by_model = dict(by_model)


class Retries:
    """Attempts at the work of each name: an error stays with its name; used by one thread.

    The next attempt after an error waits for a delay that doubles, since an attempt may take
    seconds, for example while another session locks the name's rows.

    Args:
        probe: function that raises StoreUnavailable if Postgres cannot be reached for any name.
    """

    def __init__(self, probe: Callable[[], object]) -> None:
        self._probe = probe
        self._failures: dict[str, _Failure] = {}

    def forget_all_but(self, names: Collection[str]) -> None:
        """Forget the failures of other names than these."""
        self._failures = {name: self._failures[name] for name in names if name in self._failures}

    def attempt(self, name: str, work: Callable[[], None], faults: dict[str, str]) -> None:
        """Do the work of a name if it is due, and add an error to the faults.

        Raises:
            StoreUnavailable: Postgres cannot be reached, for any name.
        """
        before = self._failures.get(name)
        if before and time.monotonic() < before.again_s:
            faults.setdefault(name, before.reason)
            return
        try:
            work()
        except Exception as error:
            if isinstance(error, StoreUnavailable):
                self._probe()
            reason = _reason(error)
            if not isinstance(error, SentinelError) and not (before and before.reason == reason):
                logger.exception("%s cannot be recorded", name)
            delay_s = min(before.delay_s * 2, _LONGEST_DELAY_S) if before else _FIRST_DELAY_S
            self._failures[name] = _Failure(reason, delay_s, time.monotonic() + delay_s)
            faults.setdefault(name, reason)
        else:
            self._failures.pop(name, None)


@dataclass(frozen=True, slots=True)
class _Failure:
    reason: str
    delay_s: float
    again_s: float


def _reason(error: Exception) -> str:
    """Return why a name cannot be recorded, without the row that Postgres quotes."""
    if isinstance(error, SentinelError):
        return error.detail
    if isinstance(error, DBAPIError):
        state = getattr(error.orig, "sqlstate", None)
        return f"Postgres rejects its record (SQLSTATE {state}); the log has the error"
    return f"its record fails with {type(error).__name__}; the log has the error"

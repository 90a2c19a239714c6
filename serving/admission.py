"""The limit of scoring requests in flight, which is lower while there is an overload.

Up to `max_in_flight` requests nothing is refused, so a burst waits and is served. One more begins
an overload: then every request in flight makes the others wait without a gain, because batches of a
few dozen decide nearly as many payments a second as larger ones. So the limit follows the latency
of what is admitted: it is as high as keeps that within `TOLERANCE` times the latency of a request
that is alone, but never so low that batches are small. docs/decisions/0023-overload.md has the
measurements.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from time import perf_counter

TOLERANCE = 4.0
"""Highest mean latency in an overload, as a multiple of that of a request that is alone."""
FIRST_LIMIT = 128
"""Limit at the beginning of the first overload of a process."""
MIN_LIMIT = 64
"""Lowest limit, whatever the latency: 64 clients get nine tenths of the goodput of 256, 16 clients
two thirds (docs/performance.md, medium model)."""
WINDOW_S = 0.1
"""Time over which the mean latency is taken, and after which the limit is set again."""
CALM_S = 1.0
"""Time without a refusal, beyond Retry-After, after which an overload is over. Clients that obey it
come again in that time: if all were admitted then, they would be as many as before."""
REFUSED_PER_ANSWERED = 0.4
"""Refusals for each request that is answered; Retry-After grows where there are more. A refusal
costs a fifth of an answer or less, so these take 8 % of what the process can do."""
MAX_RETRY_AFTER_S = 10
OVERLOAD = "overload"
RATE = "rate"
_GROWTH = 1 / 16
_LARGEST_CUT = 0.7
_NEW_SAMPLE = 1 / 32
"""Weight of a new sample in the latency of a request that is alone."""


class Admission:
    """Counts the requests in flight and refuses those that are too many.

    Attributes:
        limit: number of requests in flight from which one more is refused.
        in_flight: number of requests that were admitted and are not answered yet.
        held: number of refusals for an overload that are held back, which then goes on.
        held_for_rate: number of refusals for a rate that are held back.
        refused: number of requests that were refused, for OVERLOAD and for RATE.
        retry_after_s: whole seconds after which a refused client may ask again, 1 to
            MAX_RETRY_AFTER_S.

    Args:
        max_in_flight: limit while there is no overload.
        now_s: monotonic clock, in seconds.
    """

    def __init__(self, max_in_flight: int, now_s: Callable[[], float] = perf_counter) -> None:
        self.limit = max_in_flight
        self.in_flight = 0
        self.held = 0
        self.held_for_rate = 0
        self.refused = {OVERLOAD: 0, RATE: 0}
        self._in_flight_of: dict[int | None, int] = {}
        self.retry_after_s = 1
        self._refusals = 0
        self._answered = 0
        self._counting_since_s = 0.0
        self._max_in_flight = max_in_flight
        self._now_s = now_s
        self._is_alone = False
        self._alone_s: float | None = None
        self._overload_limit = min(FIRST_LIMIT, max_in_flight)
        self._overload_began_s: float | None = None
        self._refused_s = 0.0
        self._window_began_s = 0.0
        self._total_s = 0.0
        self._samples = 0

    def enter(self, tenant_id: int | None = None) -> bool:
        """Admit a request, which has to `leave`, or return False: it is refused.

        In an overload, a tenant that has less than its share in flight is admitted all the same:
        the share is the limit divided by the tenants that have requests in flight.

        Args:
            tenant_id: tenant of the request; None: it is not known, as of all strangers together.
        """
        own = self._in_flight_of.get(tenant_id, 0)
        if self.in_flight >= self.limit and not self._is_over():
            is_overload = self._overload_began_s is not None
            tenants = len(self._in_flight_of) + (own == 0)
            if not is_overload or own >= self.limit // tenants:
                self._refuse()
                return False
        self._is_alone = self.in_flight == 0
        self.in_flight += 1
        self._in_flight_of[tenant_id] = own + 1
        return True

    def leave(self, arrived_s: float | None, tenant_id: int | None = None) -> None:
        """Count a request that was admitted as answered.

        Args:
            arrived_s: time at which it arrived, by the clock; None: its latency does not count, for
                example because it holds many payments.
            tenant_id: tenant that it entered with.
        """
        self.in_flight -= 1
        self._answered += 1
        own = self._in_flight_of[tenant_id] - 1
        if own:
            self._in_flight_of[tenant_id] = own
        else:
            del self._in_flight_of[tenant_id]
        if arrived_s is None:
            return
        now_s = self._now_s()
        if self._overload_began_s is None:
            if self._is_alone and self.in_flight == 0:
                self._learn(now_s - arrived_s)
        elif arrived_s >= self._overload_began_s:
            self._total_s += now_s - arrived_s
            self._samples += 1
            if now_s - self._window_began_s >= WINDOW_S:
                self._adjust(now_s)

    def _refuse(self) -> None:
        now_s = self._refused_s = self._now_s()
        if self._overload_began_s is None:
            self._overload_began_s = now_s
            self.limit = self._overload_limit
            self._begin_counting(now_s)
            self._begin_window(now_s)
        self._refusals += 1
        counted_s = now_s - self._counting_since_s
        if counted_s >= self.retry_after_s:
            # In as long as they were asked to wait, each client was refused once.
            clients = self._refusals / counted_s * self.retry_after_s
            allowed = self._answered / counted_s * REFUSED_PER_ANSWERED
            wanted = ceil(clients / allowed) if allowed else MAX_RETRY_AFTER_S
            self.retry_after_s = min(max(1, wanted), MAX_RETRY_AFTER_S)
            self._begin_counting(now_s)

    def _is_over(self) -> bool:
        """Whether an overload is over, which ends it."""
        if self._overload_began_s is None or self.held:
            return False
        if self._now_s() - self._refused_s < CALM_S + self.retry_after_s:
            return False
        self._overload_began_s = None
        self.limit = self._max_in_flight
        self.retry_after_s = 1
        return True

    def _learn(self, alone_s: float) -> None:
        if self._alone_s is None:
            self._alone_s = alone_s
        self._alone_s += (alone_s - self._alone_s) * _NEW_SAMPLE

    def _adjust(self, now_s: float) -> None:
        """Set the limit by the mean latency of the window, which was reached if it is to grow."""
        if self._is_over():
            return
        if self._alone_s is not None:
            ratio = self._alone_s * TOLERANCE * self._samples / self._total_s
            growth = _GROWTH if self._refused_s >= self._window_began_s else 0.0
            change = growth if ratio >= 1 else max(ratio, _LARGEST_CUT) - 1
            limit = max(MIN_LIMIT, self.limit + round(self.limit * change))
            self._overload_limit = self.limit = min(limit, self._max_in_flight)
        self._begin_window(now_s)

    def _begin_counting(self, now_s: float) -> None:
        self._counting_since_s = now_s
        self._refusals = self._answered = 0

    def _begin_window(self, now_s: float) -> None:
        self._window_began_s = now_s
        self._total_s = 0.0
        self._samples = 0


class Place:
    """The place of a request that was admitted, which is left once, whoever leaves it first.

    Args:
        admission: limit that the request entered.
        tenant_id: tenant that it entered with.
    """

    __slots__ = ("_admission", "_is_left", "_tenant_id")

    def __init__(self, admission: Admission, tenant_id: int | None) -> None:
        self._admission = admission
        self._tenant_id = tenant_id
        self._is_left = False

    def leave(self, arrived_s: float | None = None) -> None:
        """Count the request as answered, if it was not before.

        Args:
            arrived_s: time at which it arrived; None: its latency does not count.
        """
        if not self._is_left:
            self._is_left = True
            self._admission.leave(arrived_s, self._tenant_id)

"""Clients that pay all the time, and send again what docs/http.md says may be sent again."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from tests.chaos.history import UNANSWERED, Attempt, HistoryLog
from tests.chaos.payments import Payments, RunTenant, changed

AGAIN = {409, 429, 503, 504}
"""Statuses after which the same request is sent again, as after a broken connection."""
_TIMEOUT_S = 15.0
_LONGEST_WAIT_S = 3.0
_GIVE_UP_S = 90.0
"""Time after which a client no longer repeats a request: longer than any fault lasts."""
_REMEMBERED = 300
_MIX = (("pay", 60), ("batch", 9), ("keyed batch", 6), ("again", 12), ("twice", 5), ("other", 5),
        ("foreign", 3))  # fmt: skip
"""What a client does next, with weights."""


class Shared:
    """What the clients of a run share.

    Attributes:
        url: address of the service.
        log: history that is written.
        keys: API key by tenant.
        stopping: set when clients shall end.
        faults: names of the faults in force, in order of their beginning.
        own_types_served: cleared before and while a release runs that knows no own event types.
    """

    def __init__(self, url: str, log: HistoryLog, keys: dict[str, str]) -> None:
        self.url = url
        self.log = log
        self.keys = keys
        self.stopping = threading.Event()
        self.faults: list[str] = []
        self.own_types_served = threading.Event()
        self.own_types_served.set()
        self.seen: dict[str, deque[str]] = {slug: deque(maxlen=_REMEMBERED) for slug in keys}
        """Transactions that were answered, by tenant."""


class Client(threading.Thread):
    """One client of one tenant: it waits for each answer before it goes on.

    Args:
        shared: what it shares with others.
        tenant: tenant whose key it has.
        lane: its number in the tenant.
        seed: seed of the run.
        pause_s: pause after each answer, in seconds.
    """

    def __init__(
        self, shared: Shared, tenant: RunTenant, lane: int, seed: int, pause_s: float
    ) -> None:
        super().__init__(name=f"{tenant.slug}-{lane}", daemon=True)
        self._shared = shared
        self._tenant = tenant
        self._payments = Payments(seed, tenant.own_type, lane)
        self._rng = random.Random(f"client {seed} {lane}")  # noqa: S311 - it needs no secrecy
        self._pause_s = pause_s
        self._operations = 0
        self._answered: deque[tuple[str, list[dict[str, Any]], str | None]] = deque(
            maxlen=_REMEMBERED
        )
        # Not repeated before the journal is drained: until then, another process may decide again.
        self._journalled: deque[tuple[str, list[dict[str, Any]], str | None]] = deque(
            maxlen=_REMEMBERED
        )
        self.failure: BaseException | None = None

    def run(self) -> None:
        """Pay until the run ends."""
        try:
            with (
                self._http() as self._own,
                self._http() as self._second,
                ThreadPoolExecutor(1) as self._beside,
            ):
                while not self._shared.stopping.wait(self._pause_s):
                    if not self._tenant.own_type or self._shared.own_types_served.is_set():
                        self._next()
        except BaseException as error:
            self.failure = error
            raise

    def repeat_answered(self) -> None:
        """Send everything that it remembers once more, after the run."""
        with self._http() as self._own:
            for route, payments, key in [*self._answered, *self._journalled]:
                self._send(self._operation("again"), route, payments, key)

    def _http(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self._shared.keys[self._tenant.slug]}"}
        url = self._shared.url
        return httpx.Client(base_url=url, headers=headers, timeout=_TIMEOUT_S, trust_env=False)

    def _next(self) -> None:
        names, weights = zip(*_MIX, strict=True)
        (what,) = self._rng.choices(names, weights)
        {
            "pay": self._pay,
            "batch": self._batch,
            "keyed batch": self._keyed_batch,
            "again": self._again,
            "twice": self._twice,
            "other": self._other,
            "foreign": self._foreign,
        }[what]()

    def _pay(self) -> None:
        self._send(self._operation("pay"), "/score", [self._payments.next()])

    def _batch(self) -> None:
        payments = self._several()
        # A card's window would depend on when the payment that is repeated was decided.
        if self._answered and not self._tenant.own_type and self._rng.random() < 0.5:
            _, earlier, key = self._rng.choice(self._answered)
            payments += earlier if key is None else []
        self._send(self._operation("batch"), "/score/batch", payments)

    def _keyed_batch(self) -> None:
        operation = self._operation("keyed-batch")
        payments = self._several(external_id=False)
        self._send(operation, "/score/batch", payments, f"key-{operation}")

    def _several(self, *, external_id: bool = True) -> list[dict[str, Any]]:
        count = self._rng.randint(2, 8)
        return [self._payments.next(external_id=external_id) for _ in range(count)]

    def _again(self) -> None:
        if self._answered:
            self._send(self._operation("again"), *self._rng.choice(self._answered))

    def _twice(self) -> None:
        payment = self._payments.next()
        operation = self._operation("twice")
        other = self._beside.submit(self._send, operation, "/score", [payment], None, self._second)
        self._send(operation, "/score", [payment])
        other.result()

    def _other(self) -> None:
        """Send another payment, alone or in a batch, under an id that was used before."""
        used = [payments[0] for _, payments, key in self._answered if key is None]
        if used:
            payment = changed(self._rng.choice(used))
            if self._rng.random() < 0.5:
                self._send(self._operation("other"), "/score", [payment])
            else:
                payments = [*self._several(), payment]
                self._send(self._operation("other-batch"), "/score/batch", payments)

    def _foreign(self) -> None:
        """Ask for another tenant's transaction, which does not exist for this one."""
        others = [slug for slug in self._shared.seen if slug != self._tenant.slug]
        theirs = list(self._shared.seen[self._rng.choice(others)])
        if theirs:
            path = f"/transactions/{self._rng.choice(theirs)}"
            self._exchange(self._own, self._operation("foreign"), path, [], None)

    def _operation(self, what: str) -> str:
        self._operations += 1
        return f"{self.name}-{self._operations}-{what}"

    def _send(
        self,
        operation: str,
        route: str,
        payments: list[dict[str, Any]],
        key: str | None = None,
        http: httpx.Client | None = None,
    ) -> None:
        """Send a request until there is an answer that ends it."""
        began_s = time.monotonic()
        wait_s = 0.0
        internal = 0
        while True:
            if self._tenant.own_type:
                self._shared.own_types_served.wait()
            attempt, retry_after_s = self._exchange(
                http or self._own, operation, route, payments, key
            )
            internal += attempt.status == 500
            ends = attempt.status not in AGAIN and attempt.status != UNANSWERED
            if ends and not (attempt.status == 500 and internal == 1):
                break
            if time.monotonic() - began_s > _GIVE_UP_S:
                return
            wait_s = min(max(retry_after_s, wait_s * 1.5), _LONGEST_WAIT_S)
            time.sleep(wait_s)
        if attempt.status == 200:
            self._shared.seen[self._tenant.slug].extend(
                decision["transaction_id"] for decision in attempt.decisions
            )
            is_journalled = any("stored" in decision for decision in attempt.decisions)
            remembered = self._journalled if is_journalled else self._answered
            remembered.append((route, payments, key))

    def _exchange(
        self,
        http: httpx.Client,
        operation: str,
        route: str,
        payments: list[dict[str, Any]],
        key: str | None,
    ) -> tuple[Attempt, float]:
        """Send once; return what came back, and how long to wait before the next time."""
        fault = "+".join(self._shared.faults)
        body = payments[0] if route == "/score" else {"transactions": payments}
        headers = {"Idempotency-Key": key} if key else {}
        sent = time.time()
        status, reply, retry_after_s = UNANSWERED, {}, 1.0
        try:
            response = http.post(route, json=body, headers=headers) if payments else http.get(route)
            status, reply = response.status_code, _json(response)
            retry_after_s = float(response.headers.get("Retry-After", 1))
        except httpx.TransportError as error:
            reply = {"type": type(error).__name__}
        attempt = Attempt(
            operation,
            self._tenant.slug,
            route,
            payments,
            sent,
            time.time(),
            status,
            problem=str(reply.get("type", "")).rpartition(":")[2],
            decisions=_decisions(reply) if status == 200 and payments else [],
            key=key,
            fault=fault,
        )
        self._shared.log.write(attempt)
        return attempt, retry_after_s


def _json(response: httpx.Response) -> dict[str, Any]:
    try:
        document = response.json()
    except json.JSONDecodeError:
        return {"type": "not JSON"}
    return document if isinstance(document, dict) else {"type": "not an object"}


def _decisions(reply: dict[str, Any]) -> list[dict[str, Any]]:
    results = reply.get("results")
    return [reply] if results is None else list(results)


def run_clients(
    shared: Shared,
    tenants: Sequence[RunTenant],
    seed: int,
    lanes: int,
    pause_s: float,
) -> tuple[list[Client], Callable[[], None]]:
    """Start the clients; return them, and a function that ends them and raises a failure."""
    clients = [
        Client(shared, tenant, lane, seed, pause_s) for tenant in tenants for lane in range(lanes)
    ]
    for client in clients:
        client.start()

    def stop() -> None:
        shared.stopping.set()
        for client in clients:
            client.join()
        for client in clients:
            if client.failure is not None:
                raise client.failure

    return clients, stop

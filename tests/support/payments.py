"""Clients that send payments without pause, and the record of what each was answered."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, Self
from uuid import uuid4

import httpx
import psycopg

from tests.support.factories import a_body


class Answer(NamedTuple):
    """What a client got for one payment.

    Attributes:
        external_id: key of the payment.
        at_s: monotonic time of the answer.
        status: HTTP status; 0 where the connection broke.
        detail: the decision's id of a 200, the problem's detail, or the error of the connection.
    """

    external_id: str
    at_s: float
    status: int
    detail: str


class PaymentClients:
    """Clients of one tenant that send a new payment each, until the block ends.

    Args:
        url: address of the service.
        key: API key with the scope `score`.
        clients: number of clients, each with a connection of its own.
        pause_s: pause of a client between two payments.
    """

    def __init__(self, url: str, key: str, *, clients: int = 4, pause_s: float = 0.01) -> None:
        self._url = url
        self._key = key
        self._pause_s = pause_s
        self._stopping = threading.Event()
        self._answers: list[Answer] = []
        self._threads = [threading.Thread(target=self._send) for _ in range(clients)]

    def __enter__(self) -> Self:
        """Begin to send."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End after the requests that are under way."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    @property
    def answers(self) -> Sequence[Answer]:
        """What was answered so far, in order of time."""
        return sorted(self._answers, key=lambda answer: answer.at_s)

    @property
    def decided(self) -> dict[str, str]:
        """Ids of the decisions by the key of their payment."""
        return {a.external_id: a.detail for a in self.answers if a.status == 200}

    def refusals(self) -> Counter[tuple[int, str]]:
        """Count the answers other than 200 by status and detail."""
        return Counter((a.status, a.detail) for a in self.answers if a.status != 200)

    def longest_gap_s(self, since_s: float) -> float:
        """Return the longest time without a 200, from a monotonic time on until now."""
        times = [a.at_s for a in self.answers if a.status == 200 and a.at_s >= since_s]
        edges = [since_s, *times, time.monotonic()]
        return max(later - earlier for earlier, later in pairwise(edges))

    def wait_for(self, more: int, within_s: float) -> None:
        """Wait until so many more payments are decided."""
        goal, deadline = len(self.decided) + more, time.monotonic() + within_s
        while len(self.decided) < goal:
            assert time.monotonic() < deadline, self.refusals()
            time.sleep(0.02)

    def _send(self) -> None:
        with httpx.Client(
            base_url=self._url,
            headers={"Authorization": f"Bearer {self._key}"},
            timeout=30,
            trust_env=False,
        ) as http:
            while not self._stopping.wait(self._pause_s):
                external_id = uuid4().hex
                try:
                    reply = http.post("/score", json=a_body(external_id=external_id))
                    known = reply.json()
                    found = reply.status_code, str(known.get("prediction_id") or known["detail"])
                except httpx.TransportError as error:
                    found = 0, type(error).__name__
                self._answers.append(Answer(external_id, time.monotonic(), *found))


def stored_decisions(database: str) -> dict[str, list[str]]:
    """Return the ids of the decisions of each payment with a key, as the superuser reads them."""
    found: dict[str, list[str]] = {}
    with psycopg.connect(database) as connection:
        for external_id, prediction_id in connection.execute(
            "SELECT t.external_id, p.id::text FROM transactions t JOIN predictions p"
            " ON (p.tenant_id, p.transaction_id) = (t.tenant_id, t.id)"
            " WHERE t.external_id IS NOT NULL"
        ):
            found.setdefault(external_id, []).append(prediction_id)
    return found

"""The history of a run: one JSON line for each request with its reply, and for each fault."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

UNANSWERED = 0
"""Status of a request without a reply."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request as it was sent, and what came back.

    Attributes:
        operation: name of what the client wants; its repeats have the same.
        tenant: slug of the tenant whose key was sent.
        route: path.
        payments: payments of the request, in order.
        sent: when it was sent, seconds since 1970.
        got: when the reply was there, or the wait for it ended.
        status: HTTP status; UNANSWERED without a reply.
        problem: last part of the problem's type; empty where there is none.
        decisions: decisions of the reply, in order; empty unless the status is 200.
        key: Idempotency-Key of the request.
        fault: name of the fault that was in force when it was sent; empty without one.
        number: line of the history, from 1.
    """

    operation: str
    tenant: str
    route: str
    payments: list[dict[str, Any]]
    sent: float
    got: float
    status: int
    problem: str = ""
    decisions: list[dict[str, Any]] = field(default_factory=list)
    key: str | None = None
    fault: str = ""
    number: int = 0


class HistoryLog:
    """A history that is being written; safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        self._file: TextIO = path.open("w")
        self._lock = threading.Lock()

    def write(self, attempt: Attempt) -> None:
        """Append a request with its reply."""
        document = asdict(attempt)
        del document["number"]
        self._append({"kind": "request"} | document)

    def note(self, at: float, event: str, **details: object) -> None:
        """Append what happened to the system, such as the beginning of a fault."""
        self._append({"kind": "event", "at": at, "event": event, **details})

    def close(self) -> None:
        """End the file."""
        self._file.close()

    def _append(self, document: Mapping[str, Any]) -> None:
        line = json.dumps(document, separators=(",", ":"))
        with self._lock:
            self._file.write(line + "\n")
            self._file.flush()


def read_history(path: Path) -> Iterator[Attempt]:
    """Yield the requests of a history in the order of their replies."""
    with path.open() as file:
        for number, line in enumerate(file, 1):
            document = json.loads(line)
            if document.pop("kind") == "request":
                document["decisions"] = [_slim(decision) for decision in document["decisions"]]
                yield Attempt(**document, number=number)


_KEPT = (
    *("transaction_id", "prediction_id", "score", "risk_band", "decision", "threshold"),
    *("base_value", "margin", "model", "top_features", "stored", "unread_windows"),
)


def _slim(decision: dict[str, Any]) -> dict[str, Any]:
    return {name: decision[name] for name in _KEPT if name in decision}

"""What is stored after a run, as data: `tests/chaos/reading.py` reads it.

It is written to a file, so that a run can be checked again.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

SUPERSEDED = "Another decision answers"
"""Beginning of the reason of a decision whose external id another decision has."""
TWICE = "an event more than once in a segment"


@dataclass(frozen=True, slots=True)
class Row:
    """A decision with its transaction, as the tables have them.

    Attributes:
        tenant: slug.
        body: payment, by the names of the request.
        drained: when it came from a journal, seconds since 1970; None where it was stored before
            its reply.
        contributions: log-odds by feature.
        features: values by feature; None is missing.
    """

    tenant: str
    external_id: str | None
    transaction_id: str
    prediction_id: str
    body: dict[str, Any]
    score: float
    margin: float
    base_value: float
    threshold: float
    risk_band: str
    decision: str
    model_name: str
    model_version: int
    drained: float | None
    unread_windows: list[str]
    contributions: dict[str, float]
    features: dict[str, float | None]


@dataclass(slots=True)
class Tables:
    """Everything that is stored.

    Attributes:
        rows: decisions.
        claims: prediction that answers an external id, by tenant and id.
        past: number of times that a past event is kept, by tenant, entity, key and event.
        set_aside: reason by prediction, of what the journal's quarantine holds.
        halves: transactions without a prediction and predictions without a transaction.
    """

    rows: list[Row] = field(default_factory=list)
    claims: dict[tuple[str, str], str] = field(default_factory=dict)
    past: dict[tuple[str, str, str, str], int] = field(default_factory=dict)
    set_aside: dict[str, str] = field(default_factory=dict)
    halves: list[str] = field(default_factory=list)

    def save(self, path: Path) -> None:
        """Write it to a file."""
        document = {
            "rows": [asdict(row) for row in self.rows],
            "claims": [[*key, value] for key, value in self.claims.items()],
            "past": [[*key, count] for key, count in self.past.items()],
            "set_aside": self.set_aside,
            "halves": self.halves,
        }
        path.write_text(json.dumps(document, separators=(",", ":")))

    @classmethod
    def load(cls, path: Path) -> Tables:
        """Read what `save` wrote."""
        document = json.loads(path.read_text())
        return cls(
            [Row(**row) for row in document["rows"]],
            {(tenant, key): id_ for tenant, key, id_ in document["claims"]},
            {(t, entity, key, id_): n for t, entity, key, id_, n in document["past"]},
            document["set_aside"],
            document["halves"],
        )

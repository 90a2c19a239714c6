"""Decisions as records of the journal: JSON that gives the same bits back.

A record holds the row that Postgres would have: `persistence.decisions.rows.decided_from` reads
both. Features and contributions are the bytes of their doubles, since JSON has neither NaN nor
infinity. What many decisions share, the descriptions of a version's features and the event type, is
a definition: a text with its digest, which each segment holds once.
"""

from __future__ import annotations

import base64
import hashlib
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from persistence.decisions.rows import Decided, body_digest, decided_from
from persistence.idempotency import KeyedRequest
from persistence.journal.frames import Kind
from scoring.described_features import DescribedFeatures
from scoring.event_type.document import to_document
from scoring.event_type.event import Event
from scoring.event_type.fields import EventType
from scoring.transaction import WIRE_NAMES

_KNOWN_DEFINITIONS = 256
_OF_PREDICTION = (
    "score",
    "margin",
    "base_value",
    "raw_probability",
    "risk_band",
    "decision",
    "threshold",
    "approval_probability",
    "decline_threshold",
)
_prediction_values = attrgetter(*_OF_PREDICTION)
_paysim_values = attrgetter(*WIRE_NAMES)


class Key(NamedTuple):
    """An idempotency key that a record claims.

    Attributes:
        tenant_id: tenant whose key it is.
        key: `external_id` of an event, or the key of a batch.
        is_batch: whether it is the key of a batch.
    """

    tenant_id: int
    key: str
    is_batch: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """A record to be written.

    Attributes:
        kind: DECISION or BATCH.
        payload: JSON of the record.
        definitions: texts that it refers to, by digest.
        keys: keys that it claims, each with the digest of the body.
        rows: number of decisions that it stores.
        decided_at: time of the decisions.
    """

    kind: Kind
    payload: bytes
    definitions: Mapping[str, str]
    keys: Mapping[Key, bytes]
    rows: int
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class Record:
    """A record that was read.

    Attributes:
        number: number of its frame.
        decisions: decisions that it stores, in order.
        request: key and digest of a batch that had one.
        tenant_id: tenant of the decisions.
        prediction_ids: decisions that answer the batch, of which earlier records store some.
    """

    number: int
    decisions: list[Decided]
    request: KeyedRequest | None
    tenant_id: int
    prediction_ids: list[UUID]


@dataclass(slots=True)
class Encoder:
    """Makes records; remembers the digests of definitions. Safe to call from several threads."""

    _known: dict[int, tuple[object, str, str]] = field(default_factory=dict)

    def decision(self, decided: Decided, decided_at: datetime) -> Entry:
        """Return the record of one decision."""
        definitions: dict[str, str] = {}
        row = self._row(decided, decided_at, definitions)
        return Entry(
            Kind.DECISION, orjson.dumps(row), definitions, keys_of([decided]), 1, decided_at
        )

    def batch(
        self,
        decisions: Sequence[Decided],
        decided_at: datetime,
        request: KeyedRequest | None,
        answer: Sequence[Decided],
    ) -> Entry:
        """Return the record of a batch.

        Args:
            decisions: decisions that it stores.
            decided_at: time of the decisions.
            request: key and digest of the whole batch; None without a key.
            answer: decisions that answer the batch, in its order.
        """
        definitions: dict[str, str] = {}
        tenant_id = answer[0].tenant_id
        keys = keys_of(decisions)
        if request is not None:
            keys[Key(tenant_id, request.key, is_batch=True)] = request.digest
        document = {
            "tenant_id": tenant_id,
            "decisions": [self._row(decided, decided_at, definitions) for decided in decisions],
            "key": request and request.key,
            "digest": request and request.digest.hex(),
            "prediction_ids": [decided.prediction_id for decided in answer],
        }
        payload = orjson.dumps(document)
        return Entry(Kind.BATCH, payload, definitions, keys, len(decisions), decided_at)

    def _row(
        self, decided: Decided, decided_at: datetime, definitions: dict[str, str]
    ) -> dict[str, Any]:
        prediction, event = decided.prediction, decided.transaction
        row: dict[str, Any] = {
            "tenant_id": decided.tenant_id,
            "transaction_id": decided.transaction_id,
            "id": decided.prediction_id,
            "created_at": int(decided_at.timestamp() * 1e6),
            "latency_ms": decided.latency_ms,
            "policy_id": decided.policy_id,
            "external_id": event.external_id,
            "model_name": prediction.model.name,
            "model_version": prediction.model.version,
            **dict(zip(_OF_PREDICTION, _prediction_values(prediction), strict=True)),
            "features": _packed(prediction.features),
            "contributions": _packed(prediction.contributions),
            "unread_windows": prediction.unread_windows,
            "ruling": prediction.ruling and prediction.ruling.document(),
            "described": self._defined(prediction.described, _described, definitions),
        }
        if event.external_id is not None:
            row["digest"] = body_digest(event).hex()
        if isinstance(event, Event):
            row["event_type_id"] = event.type_id
            row["event_type"] = self._defined(event.event_type, _event_type, definitions)
            row["fields"] = event.document()
        else:
            row.update(zip(WIRE_NAMES, _paysim_values(event), strict=True))
        return row

    def _defined(
        self, value: object, text_of: Callable[[Any], str], definitions: dict[str, str]
    ) -> str:
        known = self._known.get(id(value))
        if known is None or known[0] is not value:
            text = text_of(value)
            if len(self._known) >= _KNOWN_DEFINITIONS:
                self._known.clear()
            known = value, digest_of(text), text
            self._known[id(value)] = known  # which keeps the value, and so its id
        definitions[known[1]] = known[2]
        return known[1]


def definition(digest: str, text: str) -> bytes:
    """Return the payload of a definition."""
    return orjson.dumps({"digest": digest, "text": text})


def read_definition(payload: bytes) -> tuple[str, str]:
    """Return the digest and the text of a definition."""
    document = orjson.loads(payload)
    return document["digest"], document["text"]


def digest_of(text: str) -> str:
    """Return the digest of a definition's text."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def read_record(number: int, kind: Kind, payload: bytes, definitions: Mapping[str, str]) -> Record:
    """Return a record.

    Args:
        number: number of its frame.
        kind: DECISION or BATCH.
        payload: payload of the frame.
        definitions: texts by digest.

    Raises:
        KeyError, ValueError, TypeError: it is not a record of this release, or its definition is
            missing.
    """
    document = orjson.loads(payload)
    if kind is Kind.DECISION:
        decided = _decided(document, definitions)
        return Record(number, [decided], None, decided.tenant_id, [decided.prediction_id])
    key = document["key"]
    return Record(
        number,
        [_decided(row, definitions) for row in document["decisions"]],
        KeyedRequest(key, bytes.fromhex(document["digest"])) if key is not None else None,
        document["tenant_id"],
        [UUID(text) for text in document["prediction_ids"]],
    )


class Outline(NamedTuple):
    """What is known of a record without making its decisions.

    Attributes:
        rows: number of decisions that it stores.
        decided_at_s: Unix time of its decisions; 0 without one.
        keys: keys that it claims, each with the digest of the body.
    """

    rows: int
    decided_at_s: float
    keys: dict[Key, bytes]


def read_outline(kind: Kind, payload: bytes) -> Outline:
    """Return the outline of a record, in a tenth of the time of `read_record`.

    Raises:
        KeyError, ValueError, TypeError: it is not a record of this release.
    """
    document = orjson.loads(payload)
    rows = [document] if kind is Kind.DECISION else document["decisions"]
    keys = {
        Key(row["tenant_id"], row["external_id"]): bytes.fromhex(row["digest"])
        for row in rows
        if row["external_id"] is not None
    }
    if kind is Kind.BATCH and document["key"] is not None:
        own = Key(document["tenant_id"], document["key"], is_batch=True)
        keys[own] = bytes.fromhex(document["digest"])
    return Outline(len(rows), min((row["created_at"] / 1e6 for row in rows), default=0.0), keys)


def keys_of(decisions: Sequence[Decided]) -> dict[Key, bytes]:
    """Return the keys that decisions claim, each with the digest of its body."""
    return {
        Key(decided.tenant_id, external_id): body_digest(decided.transaction)
        for decided in decisions
        if (external_id := decided.transaction.external_id) is not None
    }


def _decided(row: dict[str, Any], definitions: Mapping[str, str]) -> Decided:
    features, contributions = _unpacked(row["features"]), _unpacked(row["contributions"])
    event_type = row.get("event_type")
    read = decided_from(
        {
            **row,
            "id": UUID(row["id"]),
            "transaction_id": UUID(row["transaction_id"]),
            "created_at": datetime.fromtimestamp(row["created_at"] / 1e6, UTC),
            "described": definitions[row["described"]],
            "event_type_id": row.get("event_type_id"),
            "event_type": event_type and definitions[event_type],
            "feature_values": features,
            "contribution_values": contributions,
        }
    )
    return read._replace(is_journalled=True)


def _packed(values: Sequence[float]) -> str:
    return base64.b64encode(array("d", values).tobytes()).decode()


def _unpacked(text: str) -> list[float]:
    return array("d", base64.b64decode(text)).tolist()


def _described(described: DescribedFeatures) -> str:
    return orjson.dumps(described.as_document()).decode()


def _event_type(event_type: EventType) -> str:
    return orjson.dumps(to_document(event_type)).decode()

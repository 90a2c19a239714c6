"""Score payments as a service with windows does: read the history, compute windows, store."""

from __future__ import annotations

import random
import struct
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from time import perf_counter, process_time
from typing import Any

import numpy as np
import psutil
from psycopg.pq.abc import PGresult
from sqlalchemy import Engine

from benchmarks.load.payloads import transactions
from benchmarks.windows.history import HOT_KEY, MODEL, NOW_US
from benchmarks.windows.layouts import EVENT, READ_TYPES, Layout
from persistence.decisions.insert_sql import INSERT, SET_TENANTS_PREPARED, insert_call
from persistence.decisions.rows import Decided
from persistence.pipeline.libpq import round_trip
from persistence.raw_connection import driver_connection
from persistence.uuid7 import new_ids
from scoring.event import AnyEvent
from scoring.features import FEATURE_NAMES, PAYSIM_FEATURES
from scoring.prediction import ModelVersion, Prediction
from scoring.transaction import Transaction, from_wire
from scoring.windows.definition import DAY_US, WindowDefinition
from scoring.windows.events import Events, Labels
from scoring.windows.point_in_time import window_values

HOUR_US = 3_600_000_000
FOLD_FROM = 16
"""Pending events from which an entity's next decision folds them into its state."""
HOT_FOLD_FROM = 128
_REACH_US = 91 * DAY_US
"""History that is read: the longest window, of seconds_since_last, and its hop."""
_HEADER = 20
_PAYLOAD = struct.Struct("!qdqqd")
_ROW = np.dtype(
    [("time_us", ">i8"), ("amount", ">f8"), ("other", ">i8"), ("i", ">i8"), ("x", ">f8")]
)
_NUMBERS = count()
Entity = tuple[int, str]
"""Kind (1: payer, 2: payee) and key."""
BY = (("payer",), ("payee",))


def definitions(by: tuple[str, ...]) -> list[WindowDefinition]:
    """Return 20 windows of one kind of entity."""
    lengths = (HOUR_US, DAY_US, 7 * DAY_US, 30 * DAY_US)
    counted = [WindowDefinition("count", by, length, 0, None, None) for length in lengths]
    summed = [
        WindowDefinition(function, by, length, 0, "amount", None)
        for function in ("sum", "mean", "std")
        for length in lengths
    ]
    rest = [
        WindowDefinition("max", by, lengths[-1], 0, "amount", None),
        WindowDefinition("distinct", by, lengths[-1], 0, "other", None),
        WindowDefinition("seconds_since_last", by, None, 0, None, None),
        WindowDefinition("fraud_rate", by, 28 * DAY_US, 7 * DAY_US, None, None),
    ]
    return counted + summed + rest


def decision(tenant: int) -> Decided:
    """Return a decision that others are copied from."""
    ((transaction_id, prediction_id),) = new_ids(1)
    prediction = Prediction(
        score=0.25,
        margin=-1.0,
        base_value=-5.0,
        raw_probability=0.2,
        risk_band="medium",
        decision="review",
        threshold=0.05,
        features=[i / 7 for i in range(len(FEATURE_NAMES))],
        contributions=[4 / len(FEATURE_NAMES)] * len(FEATURE_NAMES),
        model=ModelVersion(MODEL, 1),
        described=PAYSIM_FEATURES.described,
    )
    transaction = from_wire(transactions(1, seed=0)[0])
    return Decided(tenant, transaction_id, prediction_id, transaction, prediction, latency_ms=1.5)


@dataclass
class Spent:
    """Times of one batch in ms."""

    read_ms: float = 0.0
    windows_ms: float = 0.0
    write_ms: float = 0.0
    client_cpu_ms: float = 0.0


class Payments:
    """Batches of payments, and what scoring one takes in a layout."""

    def __init__(
        self, engine: Engine, template: Decided, entities: int, layout: Layout | None
    ) -> None:
        self._engine = engine
        self._template = template
        self._entities = entities
        self._layout = layout
        self.reading = layout.reading() if layout else None
        self.writing = layout.writing() if layout else INSERT
        self._random = random.Random(0)  # noqa: S311 - a sample, not a secret

    def batch(self, size: int, key: str | None) -> list[Decided]:
        """Return payments of random payers, or of one."""
        ids = new_ids(size)
        step = 10 if self._layout and self._layout.name == "tiles" else 1
        made = []
        for transaction_id, prediction_id in ids:
            payer, payee = (self._random.randrange(self._entities // step) * step for _ in range(2))
            transaction = replace(
                _paysim(self._template.transaction),
                external_id=f"w-{next(_NUMBERS)}-{transaction_id}",
                name_orig=key or f"C{payer}",
                name_dest=f"M{payee}",
            )
            made.append(
                self._template._replace(
                    transaction_id=transaction_id,
                    prediction_id=prediction_id,
                    transaction=transaction,
                )
            )
        return made

    def score(self, batch: Sequence[Decided]) -> Spent:
        """Score a batch, and return what it took."""
        spent, cpu = Spent(), process_time()
        with driver_connection(self._engine) as connection:
            tenants = (SET_TENANTS_PREPARED, [str(batch[0].tenant_id).encode()])
            times = [NOW_US + 1_000_000 * next(_NUMBERS) for _ in batch]
            added: list[bytes] = []
            if self._layout and self.reading:
                entities = _entities(batch)
                begun = perf_counter()
                given = _read_parameters(entities, batch[0].tenant_id, times, self._layout.name)
                statements = (SET_TENANTS_PREPARED, self.reading)
                _, found = round_trip(connection, statements, [tenants, (self.reading, given)])
                spent.read_ms = (perf_counter() - begun) * 1e3
                begun = perf_counter()
                if self._layout.name != "tiles":
                    _windows(entities, batch, times, found)
                spent.windows_ms = (perf_counter() - begun) * 1e3
                payloads = [
                    _PAYLOAD.pack(time, d.transaction.amount, 7, 0, 0.5)
                    for time, d in zip(times, batch, strict=True)
                ]
                values: dict[str, list[Any]] = {"event_us": times, "payload": payloads}
                if self._layout.folds:
                    values |= _folds(entities, batch[0].tenant_id, found)
                kinds = self._kinds()
                added = [kinds[name].encode(column) for name, column in values.items()]
            begun = perf_counter()
            calls = [tenants, (self.writing, [*insert_call(batch)[1], *added])]
            round_trip(connection, (SET_TENANTS_PREPARED, self.writing), calls)
            spent.write_ms = (perf_counter() - begun) * 1e3
        spent.client_cpu_ms = (process_time() - cpu) * 1e3
        return spent

    def _kinds(self) -> dict[str, Any]:
        assert self._layout  # noqa: S101
        return EVENT | self._layout.folds

    def backend(self) -> psutil.Process:
        """Return the process of Postgres that serves the pool's only connection."""
        with driver_connection(self._engine) as connection:
            return psutil.Process(connection.info.backend_pid)


def _paysim(event: AnyEvent) -> Transaction:
    if not isinstance(event, Transaction):
        raise TypeError("the template is a transaction of PaySim")
    return event


def _entities(batch: Sequence[Decided]) -> list[Entity]:
    payers = dict.fromkeys((1, str(d.transaction.payer)) for d in batch)
    payees = dict.fromkeys((2, str(d.transaction.payee)) for d in batch)
    return [*payers, *payees]


def _read_parameters(
    entities: Sequence[Entity], tenant: int, times: Sequence[int], layout: str
) -> list[bytes]:
    since = min(times) - _REACH_US
    # Rows of a hot entity are read since its last tile; without tiles it would be a million.
    hot_since = NOW_US - 600_000_000 if layout == "rows" else since
    columns: tuple[list[Any], ...] = (
        [tenant] * len(entities),
        [kind for kind, _ in entities],
        [key for _, key in entities],
        [hot_since if key == HOT_KEY else since for _, key in entities],
        [max(times)] * len(entities),
    )
    return [kind.encode(column) for kind, column in zip(READ_TYPES, columns, strict=True)]


def _windows(
    entities: Sequence[Entity],
    batch: Sequence[Decided],
    times: Sequence[int],
    found: PGresult,
) -> None:
    histories: dict[int, list[bytes]] = {1: [], 2: []}
    owners: dict[int, list[tuple[int, int]]] = {1: [], 2: []}
    codes: dict[tuple[int, str], int] = {}
    for row, (kind, key) in enumerate(entities):
        code = codes.setdefault((kind, key), len(codes))
        for column in (1, 3):
            part = found.get_value(row, column)
            if part and not (key == HOT_KEY and column == 1):
                histories[kind].append(part)
                owners[kind].append((code, len(part) // _PAYLOAD.size))
    for kind, by in enumerate(BY, 1):
        rows = np.frombuffer(b"".join(histories[kind]), _ROW)
        named = [
            (kind, str(d.transaction.payer if kind == 1 else d.transaction.payee)) for d in batch
        ]
        key_codes = np.concatenate(
            [
                np.repeat([c for c, _ in owners[kind]], [n for _, n in owners[kind]]),
                [codes[name] for name in named],
            ]
        ).astype(np.int64)
        amounts = [d.transaction.amount for d in batch]
        time_us = np.concatenate([rows["time_us"].astype(np.int64), times])
        events = Events(
            time_us,
            {by: key_codes},
            {
                "amount": np.concatenate([rows["amount"].astype(np.float64), amounts]),
                "other": np.concatenate([rows["other"].astype(np.float64), np.zeros(len(batch))]),
            },
            {},
            Labels(np.concatenate([rows["i"] % 128 == 0, np.zeros(len(batch), np.bool_)]), time_us),
        )
        window_values(events, definitions(by), len(rows))


def _folds(entities: Sequence[Entity], tenant: int, found: PGresult) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = defaultdict(list)
    for row, (kind, key) in enumerate(entities):
        pending = found.get_value(row, 3) or b""
        limit = HOT_FOLD_FROM if key == HOT_KEY else FOLD_FROM
        if len(pending) < limit * _PAYLOAD.size:
            continue
        (version,) = struct.unpack("!q", found.get_value(row, 0) or b"")
        state = found.get_value(row, 1) or b""
        if key != HOT_KEY:
            # As many events leave as enter.
            state = state[len(pending) :] + pending
        columns["fold_key"].append(key)
        columns["fold_kind"].append(kind)
        columns["fold_version"].append(version + 1)
        columns["fold_state"].append(state)
        ids = found.get_value(row, 2) or b""
        moved = [n for _, n in struct.iter_unpack("!iq", ids[_HEADER:])]
        columns["moved_id"] += moved
        columns["moved_key"] += [key] * len(moved)
        columns["moved_kind"] += [kind] * len(moved)
    columns["fold_tenant"] = [tenant] * len(columns["fold_key"])
    columns["moved_tenant"] = [tenant] * len(columns["moved_id"])
    order = (
        *("fold_tenant", "fold_kind", "fold_key", "fold_version", "fold_state"),
        *("moved_tenant", "moved_kind", "moved_key", "moved_id"),
    )
    return {name: columns[name] for name in order}

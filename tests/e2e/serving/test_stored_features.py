"""Every feature that the service stores is the one that training computes from a file.

`make test-history` replays 100,000 payments of the Fraud Detection Handbook.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from persistence.api_keys import issue_key
from persistence.tenants import Tenant, create_tenant
from scoring.columns import FloatArray
from scoring.feature_set.feature_set import FeatureSet
from scoring.feature_set.model_features import ModelFeatures
from tests.support.data.card_payments import PAYMENT, generated_payments, handbook_payments
from tests.support.data.own_events import put_in_force
from tests.support.own_models import a_model_of, features_of
from tests.support.stack import KEY_SECRET
from tests.support.system import System
from training.event_types.training_data import own_events
from training.features.suggest import suggest

COUNT = int(os.environ.get("HISTORY_EVENTS") or 1500)
FILE = os.environ.get("HISTORY_DATA")
"""Parquet file of the handbook's payments; without one, payments are generated."""
LABEL_DELAY = timedelta(days=7)
LABELS_AT_ONCE = 1000
PROGRESS_EVERY = 10_000
SIZES = (100, 37, 1, 150, 1, 1)
"""Payments of one request after another; 1: /score."""
OTHERS = {
    "smallest": "min(TX_AMOUNT, by=TERMINAL_ID, window='3d')",
    "large_1d": "count(by=CUSTOMER_ID, window='1d', where=TX_AMOUNT > 60)",
    "spread_12h": "std(TX_AMOUNT, by=TERMINAL_ID, window='12h')",
    "spent_30d": "sum(TX_AMOUNT, by=CUSTOMER_ID, window='30d')",
    "first": "first_seen(by=CUSTOMER_ID)",
    "pair_last": "seconds_since_last(by=[TERMINAL_ID, CUSTOMER_ID])",
    "fresh_risk": "fraud_rate(by=TERMINAL_ID, window='14d', delay='1d')",
    "minute": "count(by=TERMINAL_ID, window='10m')",
}
FEATURES = ModelFeatures(
    PAYMENT,
    FeatureSet(
        (*suggest(PAYMENT).definitions, *features_of(OTHERS, PAYMENT).feature_set.definitions)
    ),
)
"""The suggested features, and one of each further kind of window."""


@pytest.fixture(scope="module")
def payments() -> pa.Table:
    return handbook_payments(Path(FILE), COUNT) if FILE else generated_payments(COUNT)


@pytest.fixture(scope="module")
def offline(payments: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> FloatArray:
    """The features as a training computes them from a file, (payments, features)."""
    path = tmp_path_factory.mktemp("file") / "payments.parquet"
    pq.write_table(payments, path)
    return own_events(path, PAYMENT, seed=0).matrix(FEATURES)


class Stream:
    """Payments that arrive at the service in order, and their frauds a week later.

    Args:
        system: running service.
        tenant: tenant that sends them.
        payments: payments in order of time.
    """

    def __init__(self, system: System, tenant: Tenant, payments: pa.Table) -> None:
        self._service = system.service
        self._tenant_id = tenant.id
        self._database = system.database
        self._key = issue_key(system.engine, tenant.id, ("score", "review"), KEY_SECRET)
        rows = payments.to_pylist()
        self._times = [row["TX_DATETIME"].replace(tzinfo=UTC) for row in rows]
        self._bodies = [
            {name: row[name] for name in ("CUSTOMER_ID", "TERMINAL_ID", "TX_AMOUNT")}
            | {"TX_DATETIME": at.isoformat(), "external_id": str(i)}
            for i, (row, at) in enumerate(zip(rows, self._times, strict=True))
        ]
        self._frauds = [i for i, row in enumerate(rows) if row["TX_FRAUD"]]

    def replay(self) -> Iterator[int]:
        """Score every payment; yield how many there were so far."""
        sizes, start = cycle(SIZES), 0
        while start < len(self._bodies):
            batch = self._bodies[start : start + next(sizes)]
            start += len(batch)
            self._report_frauds(self._times[start - 1])
            if len(batch) == 1:
                self._post("/score", batch[0])
            else:
                self._post("/score/batch", {"transactions": batch})
            yield start

    def stored(self) -> FloatArray:
        """Return the stored features, (payments, features)."""
        matrix = np.full((len(self._bodies), len(FEATURES.names)), np.inf)
        statement = (
            "SELECT t.external_id::int, p.feature_values FROM predictions p JOIN transactions t"
            " ON (t.tenant_id, t.id) = (p.tenant_id, p.transaction_id) WHERE p.tenant_id = %s"
            " AND t.external_id IS NOT NULL"
        )
        with psycopg.connect(self._database) as connection, connection.cursor("rows") as cursor:
            cursor.itersize = 1000
            for row, values in cursor.execute(statement, [self._tenant_id]):
                assert len(values) == len(FEATURES.names)
                matrix[row] = values
        return matrix

    def _report_frauds(self, now: datetime) -> None:
        known = [i for i in self._frauds if self._times[i] + LABEL_DELAY <= now]
        self._frauds = self._frauds[len(known) :]
        for first in range(0, len(known), LABELS_AT_ONCE):
            labels = [self._label(i) for i in known[first : first + LABELS_AT_ONCE]]
            self._post("/labels", {"labels": labels})

    def _label(self, i: int) -> dict[str, Any]:
        known_at = (self._times[i] + LABEL_DELAY).isoformat()
        label = {"label": "fraud", "source": "chargeback", "occurred_at": known_at}
        return {"external_id": self._bodies[i]["external_id"], **label}

    def _post(self, path: str, body: Any) -> None:
        reply = self._service.post(path, body, self._key)
        assert reply.is_success, reply.text


@pytest.fixture
def stream(shared_system: System, payments: pa.Table) -> Stream:
    """A tenant that sends the payments, whose version has the features."""
    name = "fraud-stored-features"
    tenant = create_tenant(shared_system.engine, "stored-features", name)
    put_in_force(shared_system.engine, tenant, PAYMENT)
    shared_system.publish(name, a_model_of(FEATURES))
    found = "SELECT FROM production_versions WHERE tenant_id = :id"
    shared_system.service.child.wait_until(
        lambda: bool(shared_system.rows(found, id=tenant.id)), 20
    )
    return Stream(shared_system, tenant, payments)


def differing(online: FloatArray, offline: FloatArray) -> dict[str, int]:
    """Return how many values of each feature differ in a bit; a missing one is any NaN."""
    is_equal = online.view(np.int64) == offline.view(np.int64)
    is_equal |= np.isnan(online) & np.isnan(offline)
    counts = (~is_equal).sum(axis=0).tolist()
    return {name: n for name, n in zip(FEATURES.names, counts, strict=True) if n}


def exercised(matrix: FloatArray) -> Sequence[str]:
    """Return the names of the features with more than one value."""
    names = zip(FEATURES.names, matrix.T, strict=True)
    return [name for name, column in names if len(np.unique(column[~np.isnan(column)])) > 1]


def test_every_stored_feature_is_the_one_of_the_file(
    stream: Stream, offline: FloatArray, capsys: pytest.CaptureFixture[str]
) -> None:
    assert {window.function for window in FEATURES.windows} == {
        "count", "sum", "mean", "max", "min", "std", "distinct", "seconds_since_last",
        "first_seen", "fraud_rate",
    }  # fmt: skip
    assert list(exercised(offline)) == list(FEATURES.names)
    begun_s, shown = monotonic(), 0
    for count in stream.replay():
        if count >= shown + PROGRESS_EVERY:
            shown = count
            with capsys.disabled():
                print(f"\n{count:,} payments in {monotonic() - begun_s:.0f} s", end="", flush=True)
    online = stream.stored()
    assert differing(online, offline) == {}
    assert online.shape == (COUNT, len(FEATURES.names))

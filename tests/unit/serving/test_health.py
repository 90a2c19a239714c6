"""/readyz without Postgres: ready where some tenant's payments can be journalled."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from observability.journal_metrics import JournalMetrics
from persistence.circuit import Circuit
from persistence.journal.drainer import Drainer
from persistence.journal.journal import Journal
from persistence.journal.records import Encoder
from scoring.errors import StoreUnavailable
from serving.deployment.alias_follower import AliasFollower
from serving.health import StoreChecks, report
from tests.support.factories import a_decision


def a_follower(*, chosen: bool, has_model: bool = True) -> AliasFollower:
    follower = SimpleNamespace(
        can_decide=lambda: has_model,
        can_journal=lambda: chosen,
        in_use=dict,
        registry_unavailable=None,
        faults={},
    )
    return cast("AliasFollower", follower)


@pytest.fixture
def circuit() -> Circuit:
    circuit = Circuit()
    circuit.open(StoreUnavailable("Postgres cannot be reached: nothing listens."))
    return circuit


def ready(
    circuit: Circuit, journal: Journal | None, follower: AliasFollower
) -> tuple[int, dict[str, Any]]:
    response = report(StoreChecks(cast("Any", None), circuit, journal), follower)
    return response.status_code, json.loads(bytes(response.body))


def test_a_process_that_can_journal_for_a_tenant_is_ready_and_names_the_fault(
    circuit: Circuit, tmp_path: Path
) -> None:
    status, document = ready(circuit, Journal(tmp_path, 1 << 20), a_follower(chosen=True))
    assert status == 200
    assert document["journal"] == {"in_use": True, "waiting": 0, "bytes": 0}
    assert "nothing listens" in document["checks"]["postgres"]


@pytest.mark.parametrize(
    ("max_bytes", "chosen", "has_model"),
    [(1 << 20, False, True), (1 << 20, True, False), (1 << 16, True, True), (None, True, True)],
    ids=["no tenant chose it", "no model", "it is full", "its folder cannot be used"],
)
def test_otherwise_it_is_not(
    circuit: Circuit, tmp_path: Path, max_bytes: int | None, chosen: bool, has_model: bool
) -> None:
    journal = None if max_bytes is None else Journal(tmp_path, max_bytes)
    status, document = ready(circuit, journal, a_follower(chosen=chosen, has_model=has_model))
    assert (status, document["ready"]) == (503, False)


def test_the_metrics_say_what_waits_and_what_became_of_the_rest(
    circuit: Circuit, tmp_path: Path
) -> None:
    journal = Journal(tmp_path, 1 << 20)
    decided_at = datetime.fromtimestamp(datetime.now(UTC).timestamp() - 60.0, UTC)
    journal.append([Encoder().decision(a_decision(1), decided_at)])
    drainer = Drainer(cast("Any", None), journal)
    drainer.outcomes.update(stored=3)
    metrics = JournalMetrics(circuit, journal, drainer)
    values = {
        (sample.name, *sample.labels.values()): sample.value
        for metric in metrics.collect()
        for sample in metric.samples
    }
    assert values["sentinel_store_circuit_open",] == 1
    assert values["sentinel_store_circuit_openings_total",] == 1
    assert values["sentinel_journal_decisions",] == 1
    assert values["sentinel_journal_bytes",] == journal.size
    assert 60 <= values["sentinel_journal_oldest_age_seconds",] < 120
    assert values["sentinel_journal_drained_total", "stored"] == 3
    assert values["sentinel_journal_drained_total", "refused"] == 0
    assert values["sentinel_journal_quarantined",] == 0
    assert values["sentinel_journal_kept",] == 0

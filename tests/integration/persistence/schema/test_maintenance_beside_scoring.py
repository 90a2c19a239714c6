"""Maintenance does not block scoring, or it gives up and changes nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic, sleep

import pytest
from sqlalchemy import Engine, text

from persistence.decisions.rows import Decided
from persistence.decisions.writer import DecisionLog
from persistence.maintenance.errors import MaintenanceError, PauseTooShort
from persistence.maintenance.maintenance import maintain
from scoring.errors import StoreUnavailable
from tests.support.data.partition_months import NOW, THIS, months, partition_of
from tests.support.factories import a_decision
from tests.support.fixture_types import Rows


def test_scoring_continues_while_months_are_made_moved_and_dropped(
    owner: Engine, service_engine: Engine, decide: Callable[..., Decided]
) -> None:
    for age in range(12):
        decide(THIS.plus(-age), external_id=f"{age}")
    tenant_id = decide().tenant_id
    log, waits_s, stop = DecisionLog(service_engine), [0.0], threading.Event()
    failures: list[object] = []

    def score() -> None:
        number = 0
        while not stop.is_set():
            begun = monotonic()
            try:
                number += 1
                (outcome,) = log.write([a_decision(tenant_id, external_id=f"new-{number}")])
                if not isinstance(outcome, Decided):
                    failures.append(outcome)
            except StoreUnavailable as error:
                failures.append(error)
            waits_s.append(monotonic() - begun)

    scoring = threading.Thread(target=score)
    scoring.start()
    sleep(0.2)
    maintain(owner, NOW)
    maintain(owner, NOW, retain_months=1)
    sleep(0.2)
    stop.set()
    scoring.join()
    assert failures == []
    assert len(waits_s) > 20
    assert max(waits_s) < 3


def test_maintenance_gives_up_its_lock_behind_a_long_transaction_and_scoring_continues(
    owner: Engine,
    engine: Engine,
    decide: Callable[..., Decided],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("persistence.maintenance.pause._ATTEMPTS", 2)
    decide(THIS.plus(-3))
    with engine.begin() as reader:
        reader.execute(text("SELECT count(*) FROM predictions"))
        with pytest.raises(MaintenanceError, match="could not be locked"):
            maintain(owner, NOW)
        assert decide()
    maintain(owner, NOW)
    assert THIS.plus(-3) in months(engine)


def test_a_move_that_would_block_scoring_beyond_the_pause_is_rolled_back(
    owner: Engine, engine: Engine, decide: Callable[..., Decided], rows: Rows
) -> None:
    stray = decide(THIS.plus(-3))
    with pytest.raises(PauseTooShort):
        maintain(owner, NOW, pause_s=0.001)
    assert partition_of(rows, stray) == {"predictions_default", "transactions_default"}
    maintain(owner, NOW)
    assert THIS.plus(-3) in months(engine)

"""The shadow queue never blocks and never exceeds its capacity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY

from persistence.decisions.shadow_scores import ShadowScore
from registry.client.base import RegisteredVersion, RegistryUnavailable
from scoring.errors import NotStorable, StoreUnavailable
from scoring.event_type.fields import EventType
from scoring.event_type.validation import EventValidator
from scoring.model.booster_locks import BoosterLocks
from serving.history import History
from serving.prepared_entities import PreparedEntities
from serving.shadow import ShadowScorer, ShadowTask
from tests.support.event_types import NOW_US, an_event, an_event_type
from tests.support.factories import a_model, a_transaction
from tests.support.own_models import STATELESS, a_model_of, features_of

VERSION = RegisteredVersion("fraud-queue", 2, 0)
NOBODY = cast("Any", None)
NO_HISTORY = History(NOBODY, NOBODY, PreparedEntities(NOBODY))


def tasks(count: int) -> list[ShadowTask]:
    return [ShadowTask(1, uuid4(), a_transaction(), VERSION, None) for _ in range(count)]


def dropped() -> float:
    value = REGISTRY.get_sample_value("sentinel_shadow_dropped_total", {"model": VERSION.name})
    return value or 0.0


def test_tasks_beyond_the_queues_capacity_are_dropped_and_counted() -> None:
    # Nobody works on the queue: it is not started.
    scorer = ShadowScorer(NOBODY, NOBODY, BoosterLocks(), NO_HISTORY, capacity=10)
    before = dropped()
    scorer.offer(tasks(8))
    assert dropped() == before
    scorer.offer(tasks(5))
    scorer.offer(tasks(4))
    assert dropped() == before + 3 + 4


class Models:
    def load(self, _version: RegisteredVersion) -> Any:
        return a_model()


class Scores:
    """Keeps the scores that are written to it, or refuses them."""

    def __init__(self, *, away: bool = False) -> None:
        self.away = away
        self.written: list[ShadowScore] = []

    def write(self, scores: Sequence[ShadowScore]) -> None:
        if self.away:
            raise StoreUnavailable("away")
        self.written += scores


def test_stop_scores_what_is_queued() -> None:
    scores, offered, before = Scores(), tasks(150), dropped()
    scorer = ShadowScorer(cast("Any", Models()), cast("Any", scores), BoosterLocks(), NO_HISTORY)
    scorer.start()
    scorer.offer(offered)
    scorer.stop()
    assert [score.prediction_id for score in scores.written] == [
        task.prediction_id for task in offered
    ]
    assert dropped() == before


def test_stop_drops_and_counts_what_there_is_no_time_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.shadow.DRAIN_S", -1.0)
    monkeypatch.setattr("serving.shadow.GATHER_S", 3600.0)
    scores, before = Scores(), dropped()
    scorer = ShadowScorer(cast("Any", Models()), cast("Any", scores), BoosterLocks(), NO_HISTORY)
    scorer.start()
    scorer.offer(tasks(150))
    scorer.stop()
    assert scores.written == []
    assert dropped() == before + 150


def test_scores_that_cannot_be_stored_are_dropped_and_counted() -> None:
    before = dropped()
    scorer = ShadowScorer(
        cast("Any", Models()), cast("Any", Scores(away=True)), BoosterLocks(), NO_HISTORY
    )
    scorer.start()
    scorer.offer(tasks(150))
    scorer.stop()
    assert dropped() == before + 150


def test_a_version_that_does_not_load_loses_its_own_scores_only() -> None:
    class SomeModels:
        def load(self, version: RegisteredVersion) -> Any:
            if version == VERSION:
                raise RegistryUnavailable("away")
            return a_model()

    other = RegisteredVersion("fraud-other", 1, 0)
    scores, before = Scores(), dropped()
    scorer = ShadowScorer(
        cast("Any", SomeModels()), cast("Any", scores), BoosterLocks(), NO_HISTORY
    )
    scorer.start()
    scorer.offer([*tasks(3), *(replace(task, version=other) for task in tasks(4))])
    scorer.stop()
    assert {score.model.name for score in scores.written} == {"fraud-other"}
    assert (len(scores.written), dropped()) == (4, before + 3)


OWN = an_event_type()
CHANGES: dict[str, dict[str, Any]] = {
    "a field is gone": {"CHANNEL": None},
    "a field is of another kind": {"TX_AMOUNT": {"kind": "category"}},
    "codes are others": {"CHANNEL": {"kind": "category", "values": ["atm", "web", "pos"]}},
}


def event_of(event_type: EventType, **values: object) -> Any:
    kept = {name: value for name, value in an_event(**values).items() if name in event_type.kept}
    return EventValidator(event_type).validate(kept, NOW_US)


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_events_that_a_version_does_not_fit_are_dropped_and_the_others_are_scored(
    change: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    model = a_model_of(features_of(STATELESS, OWN)).as_served()

    class OwnModels:
        def load(self, _version: RegisteredVersion) -> Any:
            return model

    changed = an_event_type(**change)
    values = {"TX_AMOUNT": "57.16"} if "TX_AMOUNT" in change else {}
    events = [event_of(OWN, TX_AMOUNT=9.0), event_of(changed, **values), a_transaction()]
    events += [event_of(OWN, TX_AMOUNT=500.0), event_of(changed, **values)]
    offered = [ShadowTask(1, uuid4(), event, VERSION, None) for event in events]
    scores, before = Scores(), dropped()
    scorer = ShadowScorer(cast("Any", OwnModels()), cast("Any", scores), BoosterLocks(), NO_HISTORY)
    scorer.start()
    scorer.offer(offered)
    scorer.stop()
    assert [score.prediction_id for score in scores.written] == [
        offered[place].prediction_id for place in (0, 3)
    ]
    expected = model.margins(model.features.matrix_of([events[0], events[3]], []))
    assert [score.margin for score in scores.written] == expected.tolist()
    assert dropped() == before + 3
    assert "2 shadow scores are lost: The " in caplog.text
    assert all(record.exc_info is None for record in caplog.records), "no fault of ours"


def test_a_row_that_postgres_rejects_loses_the_scores_of_its_tenant_only() -> None:
    class SomeScores(Scores):
        def write(self, scores: Sequence[ShadowScore]) -> None:
            if any(score.tenant_id == 1 for score in scores):
                raise NotStorable("a row")
            super().write(scores)

    scores, before = SomeScores(), dropped()
    scorer = ShadowScorer(cast("Any", Models()), cast("Any", scores), BoosterLocks(), NO_HISTORY)
    scorer.start()
    scorer.offer([*tasks(3), *(replace(task, tenant_id=2) for task in tasks(4))])
    scorer.stop()
    assert [score.tenant_id for score in scores.written] == [2] * 4
    assert dropped() == before + 3


def test_models_of_one_booster_share_a_lock_and_others_do_not() -> None:
    locks = BoosterLocks()
    assert locks.of(a_model(threshold=0.05)) is locks.of(a_model(threshold=0.5))
    assert locks.of(a_model(seed=1)) is not locks.of(a_model(seed=2))

"""The shadow queue: never waits, never grows beyond its bound."""

from __future__ import annotations

from typing import Any, cast
from uuid import uuid4

from prometheus_client import REGISTRY

from registry.client.base import RegisteredVersion
from scoring.model.booster_locks import BoosterLocks
from serving.shadow import ShadowScorer, ShadowTask
from tests.support.factories import a_model

VERSION = RegisteredVersion("fraud-queue", 2, 0)
NOBODY = cast("Any", None)


def tasks(count: int) -> list[ShadowTask]:
    return [ShadowTask(1, uuid4(), [0.0] * 11, VERSION, None) for _ in range(count)]


def dropped() -> float:
    told = REGISTRY.get_sample_value("sentinel_shadow_dropped_total", {"model": VERSION.name})
    return told or 0.0


def test_what_there_is_no_room_for_is_dropped_and_counted() -> None:
    # Nobody works on the queue: it is not started.
    scorer = ShadowScorer(NOBODY, NOBODY, BoosterLocks(), capacity=10)
    before = dropped()
    scorer.offer(tasks(8))
    assert dropped() == before
    scorer.offer(tasks(5))
    scorer.offer(tasks(4))
    assert dropped() == before + 3 + 4


def test_models_of_one_booster_share_a_lock_and_others_do_not() -> None:
    locks = BoosterLocks()
    assert locks.of(a_model(threshold=0.05)) is locks.of(a_model(threshold=0.5))
    assert locks.of(a_model(seed=1)) is not locks.of(a_model(seed=2))

"""Shadow scoring: what the model that did not decide would have said, beside the payments.

Decisions that are stored go on a bounded queue; one thread a process scores them with the other
model, margins only, and stores the scores. It never holds up a payment: when it falls behind,
decisions are left out and counted. What that costs a reply: docs/decisions/0007-shadow.md.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import Counter as Tally
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from uuid import UUID

import numpy as np
from prometheus_client import Counter

from observability.metrics import SHADOW_DROPPED, SHADOW_SCORED
from persistence.decisions.shadow_scores import ShadowLog, ShadowScore
from registry.client.base import RegisteredVersion, RegistryUnavailable
from registry.store.model_store import ModelStore
from scoring.errors import ModelRefused, SentinelError
from scoring.model.booster_locks import BoosterLocks
from scoring.model.fraud_model import FraudModel
from scoring.policy import Policy
from scoring.prediction import ModelVersion

logger = logging.getLogger("sentinel.shadow")

CAPACITY = 20_000
"""Decisions that may wait, about 25 s of a loaded process; each holds 11 features."""
GATHER_S = 0.1
"""Between two looks at the queue: ten commits a second on the disk that the payments wait for,
instead of one a batch of theirs."""
CHUNK = 64
"""Rows scored, and rows stored, at a time: how long the thread keeps a booster and the
interpreter's lock to itself."""
DRAIN_S = 5.0
"""At the end, how long is spent on what still waits."""


@dataclass(frozen=True, slots=True)
class ShadowTask:
    """A stored decision to be scored by the other model.

    Attributes:
        tenant_id, prediction_id: whose, and which.
        features: as they were decided on.
        version: the model that did not decide.
        policy: the tenant's own that was in force; None: the version's.
    """

    tenant_id: int
    prediction_id: UUID
    features: Sequence[float]
    version: RegisteredVersion
    policy: Policy | None


class ShadowScorer:
    """Scores what it is offered, later, on a thread of its own.

    Args:
        model_store: gives the models.
        log: takes the scores.
        locks: of the boosters, shared with those who decide.
        capacity: decisions that may wait.
    """

    def __init__(
        self, model_store: ModelStore, log: ShadowLog, locks: BoosterLocks, capacity: int = CAPACITY
    ) -> None:
        self._model_store = model_store
        self._log = log
        self._locks = locks
        self._capacity = capacity
        self._waiting: deque[ShadowTask] = deque()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="shadow-scorer", daemon=True)

    def start(self) -> None:
        """Begin to score."""
        self._thread.start()

    def stop(self) -> None:
        """Score what waits, for DRAIN_S at most, and end."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def offer(self, tasks: Sequence[ShadowTask]) -> None:
        """Take stored decisions, without ever waiting; those there is no room for are dropped."""
        room = max(0, self._capacity - len(self._waiting))
        self._waiting.extend(islice(tasks, room))
        _count(SHADOW_DROPPED, tasks[room:])

    def _work(self) -> None:
        while not self._stopping.wait(GATHER_S):
            self._drain(math.inf)
        self._drain(time.monotonic() + DRAIN_S)
        _count(SHADOW_DROPPED, self._waiting)

    def _drain(self, until_s: float) -> None:
        """Score what waits now; what is offered meanwhile gathers for the next time."""
        for _ in range(0, len(self._waiting), CHUNK):
            if time.monotonic() > until_s:
                return
            tasks = [self._waiting.popleft() for _ in range(min(CHUNK, len(self._waiting)))]
            try:
                self._log.write(list(self._scored(tasks)))
            except SentinelError as error:
                logger.warning("%d shadow scores are lost: %s", len(tasks), error.detail)
                _count(SHADOW_DROPPED, tasks)
            except Exception:
                # The scorer outlives what it did not foresee.
                logger.exception("%d shadow scores are lost", len(tasks))
                _count(SHADOW_DROPPED, tasks)
            else:
                _count(SHADOW_SCORED, tasks)

    def _scored(self, tasks: Sequence[ShadowTask]) -> Iterator[ShadowScore]:
        of_version: dict[RegisteredVersion, list[ShadowTask]] = defaultdict(list)
        for task in tasks:
            of_version[task.version].append(task)
        for version, group in of_version.items():
            try:
                model = self._model_store.load(version)
            except RegistryUnavailable as error:
                raise ModelRefused(f"{version.name} cannot be loaded: {error}") from error
            yield from self._scored_by(model, version, group)

    def _scored_by(
        self, model: FraudModel, version: RegisteredVersion, tasks: Sequence[ShadowTask]
    ) -> Iterator[ShadowScore]:
        matrix = np.array([task.features for task in tasks], dtype=np.float64)
        with self._locks.of(model):
            margins = model.margins(matrix)
        scores = model.calibrator(margins)
        named = ModelVersion(version.name, version.version)
        for task, margin, score in zip(tasks, margins.tolist(), scores.tolist(), strict=True):
            policy = task.policy or model.policy
            yield ShadowScore(
                tenant_id=task.tenant_id,
                prediction_id=task.prediction_id,
                model=named,
                margin=margin,
                score=score,
                threshold=policy.threshold,
                decision=policy.decide(score),
            )


def _count(metric: Counter, tasks: Iterable[ShadowTask]) -> None:
    for name, count in Tally(task.version.name for task in tasks).items():
        metric.labels(model=name).inc(count)

"""Shadow scoring: score stored decisions with the version that did not decide them.

Stored decisions go into a bounded queue; one thread a process scores them with the other version,
margins only, and stores the scores. It never delays a payment: when the queue is full, decisions
are dropped and counted. The cost for a reply: docs/decisions/0007-shadow.md.
"""

from __future__ import annotations

import logging
import math
import time
from collections import Counter as Tally
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from uuid import UUID

import numpy as np
from prometheus_client import Counter

from observability.background_loop import BackgroundLoop
from observability.metrics import SHADOW_DROPPED, SHADOW_SCORED
from persistence.decisions.shadow_scores import ShadowLog, ShadowScore
from registry.client.base import RegisteredVersion
from registry.store.model_store import ModelStore
from scoring.errors import NoModel, NotStorable, SentinelError
from scoring.event import AnyEvent
from scoring.model.booster_locks import BoosterLocks
from scoring.model.fraud_model import FraudModel
from scoring.policy import Policy
from scoring.prediction import ModelVersion
from serving.history import History

logger = logging.getLogger("sentinel.shadow")

CAPACITY = 20_000
"""Decisions that the queue holds, about 25 s of a loaded process; each has its event."""
GATHER_S = 0.1
"""Seconds between two runs: ten commits a second on the disk that payments also wait for, instead
of one commit for each batch of payments."""
CHUNK = 64
"""Rows that are scored and stored at a time; it bounds how long the thread holds a booster's lock
and the interpreter's lock."""
DRAIN_S = 5.0
"""Seconds that `stop` spends on the decisions still queued."""


@dataclass(frozen=True, slots=True)
class ShadowTask:
    """A stored decision that the other version scores.

    Attributes:
        tenant_id: tenant whose decision it is.
        prediction_id: prediction that the decision belongs to.
        event: event that was decided.
        version: model version that did not decide.
        policy: tenant's own policy at the time of the decision; None: the version's policy.
    """

    tenant_id: int
    prediction_id: UUID
    event: AnyEvent
    version: RegisteredVersion
    policy: Policy | None


_Scored = list[tuple[ShadowTask, ShadowScore]]


class ShadowScorer:
    """Scores queued decisions on a thread of its own.

    Args:
        model_store: source of the models.
        log: log that stores the scores.
        locks: locks of the boosters, shared with the threads that decide.
        history: source of the windows of past events.
        capacity: decisions that the queue holds.
    """

    def __init__(
        self,
        model_store: ModelStore,
        log: ShadowLog,
        locks: BoosterLocks,
        history: History,
        capacity: int = CAPACITY,
    ) -> None:
        self._model_store = model_store
        self._log = log
        self._locks = locks
        self._history = history
        self._capacity = capacity
        self._waiting: deque[ShadowTask] = deque()
        self._loop = BackgroundLoop(
            "shadow-scorer",
            self._drain,
            GATHER_S,
            logger=logger,
            task="shadow scoring",
            runs_at_start=False,
            on_stop=self._drain_for_the_last_time,
        )

    def start(self) -> None:
        """Score in the background."""
        self._loop.start()

    def stop(self) -> None:
        """Score the queued decisions for DRAIN_S at most, drop the rest, and end the thread."""
        self._loop.stop()

    def offer(self, tasks: Sequence[ShadowTask]) -> None:
        """Queue stored decisions without waiting; drop those that exceed the capacity."""
        free = max(0, self._capacity - len(self._waiting))
        self._waiting.extend(islice(tasks, free))
        _count(SHADOW_DROPPED, tasks[free:])

    def _drain_for_the_last_time(self) -> None:
        self._drain(time.monotonic() + DRAIN_S)
        _count(SHADOW_DROPPED, self._waiting)

    def _drain(self, until_s: float = math.inf) -> None:
        """Score the decisions that are queued now; later ones wait for the next run."""
        for _ in range(0, len(self._waiting), CHUNK):
            if time.monotonic() > until_s:
                return
            tasks = [self._waiting.popleft() for _ in range(min(CHUNK, len(self._waiting)))]
            scored = list(self._scored(tasks))
            if not self._stores(scored):
                # One tenant's row that Postgres rejects must not lose the scores of the others.
                by_tenant: dict[int, _Scored] = defaultdict(list)
                for task, score in scored:
                    by_tenant[task.tenant_id].append((task, score))
                for own in by_tenant.values():
                    self._stores(own, is_last_attempt=True)

    def _scored(self, tasks: Sequence[ShadowTask]) -> Iterator[tuple[ShadowTask, ShadowScore]]:
        """Yield the scores; drop the tasks of a version that does not load or score."""
        tasks_by_version: dict[RegisteredVersion, list[ShadowTask]] = defaultdict(list)
        for task in tasks:
            tasks_by_version[task.version].append(task)
        for version, group in tasks_by_version.items():
            try:
                model = self._model_store.load(version)
                fitting = _fitting(model, group)
                scores = list(self._scored_by(model, version, fitting))
            except Exception as error:  # noqa: BLE001 - other versions are scored all the same
                _lose(group, error)
            else:
                yield from zip(fitting, scores, strict=True)

    def _stores(self, scored: _Scored, *, is_last_attempt: bool = False) -> bool:
        """Store scores; return False if Postgres rejects a row and they may be tried in parts."""
        if not scored:
            return True
        tasks = [task for task, _ in scored]
        try:
            self._log.write([score for _, score in scored])
        except NotStorable as error:
            if not is_last_attempt:
                return False
            _lose(tasks, error)
        except Exception as error:  # noqa: BLE001 - the scorer goes on
            _lose(tasks, error)
        else:
            _count(SHADOW_SCORED, tasks)
        return True

    def _scored_by(
        self, model: FraudModel, version: RegisteredVersion, tasks: Sequence[ShadowTask]
    ) -> Iterator[ShadowScore]:
        by_tenant: dict[int, list[int]] = defaultdict(list)
        for i, task in enumerate(tasks):
            by_tenant[task.tenant_id if model.features.windows else 0].append(i)
        matrix = np.empty((len(tasks), len(model.features.names)))
        for tenant_id, rows in by_tenant.items():
            events = [tasks[i].event for i in rows]
            windows = self._history.windows(tenant_id, model.features, events, are_new=False)
            matrix[rows] = model.features.matrix_of(events, windows)
        with self._locks.of(model):
            margins = model.margins(matrix)
        scores = model.calibrator(margins)
        scored_by = ModelVersion(version.name, version.version)
        for task, margin, score in zip(tasks, margins.tolist(), scores.tolist(), strict=True):
            policy = task.policy or model.policy
            yield ShadowScore(
                tenant_id=task.tenant_id,
                prediction_id=task.prediction_id,
                model=scored_by,
                margin=margin,
                score=score,
                threshold=policy.threshold,
                decision=policy.decide(score),
            )


def _fitting(model: FraudModel, tasks: Sequence[ShadowTask]) -> list[ShadowTask]:
    """Return the tasks whose events a model can score; drop the others.

    An event type is in force for requests before the versions are compared with it, so a decision
    of that half second may name a version that does not fit its event.
    """
    by_type: dict[int, list[ShadowTask]] = defaultdict(list)
    for task in tasks:
        by_type[id(task.event.event_type)].append(task)
    unfit: set[int] = set()
    for key, own in by_type.items():
        if misfit := model.features.misfit(own[0].event.event_type):
            unfit.add(key)
            _lose(own, NoModel(misfit))
    return [task for task in tasks if id(task.event.event_type) not in unfit]


def _lose(tasks: Sequence[ShadowTask], error: Exception) -> None:
    if isinstance(error, SentinelError | OSError):
        logger.warning("%d shadow scores are lost: %s", len(tasks), error)
    else:
        logger.error("%d shadow scores are lost", len(tasks), exc_info=error)
    _count(SHADOW_DROPPED, tasks)


def _count(metric: Counter, tasks: Iterable[ShadowTask]) -> None:
    for name, count in Tally(task.version.name for task in tasks).items():
        metric.labels(model=name).inc(count)

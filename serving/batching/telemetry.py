"""What is told of a batch once it has ended: metrics, one line of the log, spans.

The line names the requests by their ids, the models and the stages; no account, amount or key.
"""

from __future__ import annotations

import logging
from collections import Counter as Tally
from collections.abc import Iterable, Sequence
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import bentoml

from observability.batch_stages import BatchTimes, observe, spent_s
from observability.deferred import after_answer
from observability.tracing import TRACES

if TYPE_CHECKING:
    from scoring.prediction import Prediction
    from serving.batching.item import Item

logger = logging.getLogger("sentinel.batches")

DECISIONS = bentoml.metrics.Counter(
    name="sentinel_decisions_total",
    documentation="Decisions that were stored, by registered model; a repeated request counts once",
    labelnames=["model", "decision"],
)

# A generator would hash each model anew: 1 ms of 1000 rows, which the next batch waits for.
_MODEL_AND_DECISION = attrgetter("model.name", "model.version", "decision")


def tell_of_batch(
    times: BatchTimes,
    items: Sequence[Item],
    predicted: Iterable[Prediction],
    *,
    failed: int,
    is_stored: bool,
) -> None:
    """Tell of a batch, soon after its worker has answered it.

    Args:
        times: what it did when.
        items: the requests in it.
        predicted: what was decided or explained anew.
        failed: how many of the items were answered with an error.
        is_stored: whether `predicted` are decisions, in Postgres.
    """
    after_answer(lambda: _tell(times, items, predicted, failed, is_stored), times.rows)


def _tell(
    times: BatchTimes,
    items: Sequence[Item],
    predicted: Iterable[Prediction],
    failed: int,
    is_stored: bool,
) -> None:
    observe(times)
    told = Tally(map(_MODEL_AND_DECISION, predicted))
    if is_stored:
        for (name, _, decision), count in told.items():
            _decided(name, decision).inc(count)
    if logger.isEnabledFor(logging.INFO):
        fields = {
            "api": times.api,
            "requests": len(items),
            "rows": times.rows,
            "tenants": len({item.tenant_id for item in items}),
            "failed": failed,
            "models": sorted({f"{name}/{version}" for name, version, _ in told}),
            "stages_ms": {stage: round(s * 1e3, 3) for stage, s in spent_s(times).items()},
            "request_ids": [item.origin.request_id for item in items],
        }
        logger.info("batch", extra={"fields": fields})
    if TRACES.on:
        TRACES.record_batch(times, [i.origin.span for i in items if i.origin.span is not None])


@cache
def _decided(model: str, decision: str) -> Any:  # noqa: ANN401 - prometheus_client's, by BentoML
    return DECISIONS.labels(model=model, decision=decision)

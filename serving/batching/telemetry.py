"""The report of a batch: metrics, one log line and spans.

The log line contains request ids, models and stages, and no account, amount or key.
"""

from __future__ import annotations

import logging
from collections import Counter as Tally
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import bentoml

from observability.batch_stages import BatchTimes, observe, spent_s
from observability.request_id import Origin
from observability.rule_metrics import count_rulings
from observability.tracing import Traces

if TYPE_CHECKING:
    from scoring.prediction import Prediction

logger = logging.getLogger("sentinel.batches")

DECISIONS = bentoml.metrics.Counter(
    name="sentinel_decisions_total",
    documentation="Decisions that were stored, by registered model; a repeated request counts once",
    labelnames=["model", "decision"],
)

# A generator would hash each model for every row: 1 ms for 1000 rows, which delays the next batch.
_MODEL_AND_DECISION = attrgetter("model.name", "model.version", "decision")


@dataclass(frozen=True, slots=True)
class BatchReport:
    """Facts about a batch that are counted, logged and traced after its replies.

    Attributes:
        times: stages of the batch.
        origins: requests in the batch, with their ids and spans.
        tenants: number of tenants in the batch.
        predictions: predictions that this batch made; repeated requests are not included.
        failed: number of items that were answered with an error.
        is_stored: whether Postgres has stored `predictions` as decisions.
        traces: tracer of the process.
    """

    times: BatchTimes
    origins: Sequence[Origin]
    tenants: int
    predictions: Sequence[Prediction]
    failed: int
    is_stored: bool
    traces: Traces

    @property
    def rows(self) -> int:
        """Number of transactions in the batch."""
        return self.times.rows

    def write(self) -> None:
        """Count the batch, write its log line and record its spans."""
        observe(self.times)
        counts = Tally(map(_MODEL_AND_DECISION, self.predictions))
        if self.is_stored:
            for (name, _, decision), count in counts.items():
                _decisions(name, decision).inc(count)
            count_rulings(self.predictions)
        if logger.isEnabledFor(logging.INFO):
            fields = {
                "api": self.times.api,
                "requests": len(self.origins),
                "rows": self.times.rows,
                "tenants": self.tenants,
                "failed": self.failed,
                "models": sorted({f"{name}/{version}" for name, version, _ in counts}),
                "stages_ms": {stage: round(s * 1e3, 3) for stage, s in spent_s(self.times).items()},
                "request_ids": [origin.request_id for origin in self.origins],
            }
            logger.info("batch", extra={"fields": fields})
        if self.traces.on:
            spans = [origin.span for origin in self.origins if origin.span is not None]
            self.traces.record_batch(self.times, spans)


@cache
def _decisions(model: str, decision: str) -> Any:  # noqa: ANN401 - prometheus_client's, by BentoML
    return DECISIONS.labels(model=model, decision=decision)

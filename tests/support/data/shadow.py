"""Shadow scores of stored decisions."""

from __future__ import annotations

from persistence.decisions.rows import Decided
from persistence.decisions.shadow_scores import ShadowScore
from scoring.prediction import ModelVersion
from tests.support.data.review import POLICY


def a_shadow_score(
    decision: Decided, score: float = 0.25, model: ModelVersion | None = None
) -> ShadowScore:
    """A shadow score, by default of the challenger, version 2."""
    return ShadowScore(
        tenant_id=decision.tenant_id,
        prediction_id=decision.prediction_id,
        model=model or ModelVersion("fraud-demo", 2),
        margin=-1.1,
        score=score,
        threshold=POLICY.threshold,
        decision=POLICY.decide(score),
    )

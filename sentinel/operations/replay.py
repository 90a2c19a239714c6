"""Replaying a stored decision: the same model version on the same transaction, to the last bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Engine

from persistence.decisions.rows import Decided, find_decision
from persistence.policies import read_policy
from registry.client.base import RegistryReader
from registry.store.model_store import ModelStore
from scoring.errors import NotFound
from scoring.explain.treeshap import TOLERANCE
from scoring.features import FEATURE_NAMES
from scoring.model.sandbox import MODEL as FIXED_TEST_MODEL
from scoring.model.sandbox import fixed_prediction
from scoring.prediction import Prediction


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that came out another way.

    Attributes:
        what: which number or word. stored, recomputed: its two values.
    """

    what: str
    stored: float | str
    recomputed: float | str


def replay(
    engine: Engine, registry: RegistryReader, model_store: ModelStore, prediction_id: UUID
) -> tuple[Decided, list[Difference]]:
    """Recompute a stored decision, at the policy that was in force for it.

    Explained as this release does, or as LightGBM does: either repeats it.

    Args:
        engine: acts as the tables' owner.
        registry: where the model version is.
        model_store: loads it, verified.
        prediction_id: which.

    Returns:
        The stored decision, and everything that is not bit-identical.

    Raises:
        NotFound: there is no such prediction, or its model version is gone.
        ModelRefused: the model version fails its checks today.
        RegistryUnavailable, StoreUnavailable: MLflow or Postgres is away.
    """
    decided = find_decision(engine, prediction_id)
    made_by = decided.prediction.model
    if made_by == FIXED_TEST_MODEL:
        return decided, differences(decided.prediction, fixed_prediction(decided.transaction))
    version = registry.find(made_by.name, made_by.version)
    if version is None:
        raise NotFound(f"MLflow has no version {made_by.version} of {made_by.name} any more.")
    model = model_store.load(version)
    policy = model.policy
    if decided.policy_id is not None:
        own = read_policy(engine, decided.tenant_id, decided.policy_id)
        policy = own.policy or policy
    (recomputed,) = model.predict([decided.transaction], [policy])
    return decided, differences(decided.prediction, recomputed)


def differences(stored: Prediction, recomputed: Prediction) -> list[Difference]:
    """Compare margin and all that follows from it bit by bit, and the explanation within 1e-9.

    Contributions are sums, and a release may add in another order than the one that decided.
    """
    exact = [
        *((name, getattr(stored, name), getattr(recomputed, name)) for name in _TOLD),
        *_named("feature", stored.features, recomputed.features),
    ]
    explained = [
        ("base_value", stored.base_value, recomputed.base_value),
        *_named("contribution of", stored.contributions, recomputed.contributions),
    ]
    return [
        *(Difference(*pair) for pair in exact if pair[1] != pair[2]),
        *(Difference(*pair) for pair in explained if not abs(pair[1] - pair[2]) <= TOLERANCE),
    ]


_TOLD = (
    "margin",
    "raw_probability",
    "score",
    "threshold",
    "risk_band",
    "decision",
)


def _named(
    what: str, stored: Sequence[float], recomputed: Sequence[float]
) -> list[tuple[str, float, float]]:
    names = [f"{what} {name}" for name in FEATURE_NAMES]
    return list(zip(names, stored, recomputed, strict=True))

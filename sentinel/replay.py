"""Replaying a stored decision: the same model version on the same transaction, to the last bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Engine

from persistence.decisions import Decided, find_decision
from registry.reader import RegistryReader
from registry.shelf import Shelf
from scoring.errors import NotFound
from scoring.features import FEATURE_NAMES
from scoring.prediction import Prediction


@dataclass(frozen=True, slots=True)
class Difference:
    """A number that came out another way.

    Attributes:
        what: which number. stored, recomputed: its two values.
    """

    what: str
    stored: float
    recomputed: float


def replay(
    engine: Engine, registry: RegistryReader, shelf: Shelf, prediction_id: UUID
) -> tuple[Decided, list[Difference]]:
    """Recompute a stored decision.

    Args:
        engine: acts as the tables' owner.
        registry: where the model version is.
        shelf: loads it, verified.
        prediction_id: which.

    Returns:
        The stored decision, and every number that is not bit-identical.

    Raises:
        NotFound: there is no such prediction, or its model version is gone.
        ModelRefused: the model version fails its checks today.
        RegistryUnavailable, StoreUnavailable: MLflow or Postgres is away.
    """
    decided = find_decision(engine, prediction_id)
    made_by = decided.prediction.model
    version = registry.find(made_by.name, made_by.version)
    if version is None:
        raise NotFound(f"MLflow has no version {made_by.version} of {made_by.name} any more.")
    (recomputed,) = shelf.load(version).predict([decided.transaction])
    return decided, differences(decided.prediction, recomputed)


def differences(stored: Prediction, recomputed: Prediction) -> list[Difference]:
    """Compare margin, contributions and what follows from them, bit by bit.

    The threshold and the decision are left out: they are the policy's at the time.
    """
    pairs = [
        *((name, getattr(stored, name), getattr(recomputed, name)) for name in _NUMBERS),
        *_named("feature", stored.features, recomputed.features),
        *_named("contribution of", stored.contributions, recomputed.contributions),
    ]
    return [Difference(*pair) for pair in pairs if pair[1] != pair[2]]


_NUMBERS = ("margin", "base_value", "raw_probability", "score")


def _named(
    what: str, stored: Sequence[float], recomputed: Sequence[float]
) -> list[tuple[str, float, float]]:
    names = [f"{what} {name}" for name in FEATURE_NAMES]
    return list(zip(names, stored, recomputed, strict=True))

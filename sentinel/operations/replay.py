"""Replay a stored decision: the same model version on the same transaction, to the last bit.

Features that use windows, and windows that only rules use, are taken as they were stored: more is
known of the past now than then.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import nan
from uuid import UUID

import numpy as np
from sqlalchemy import Engine

from persistence.actor import Actor
from persistence.decisions.rows import Decided, find_decision
from persistence.policies import read_policy
from persistence.rules.in_force import rule_set_at
from persistence.rules.index import index_of
from persistence.tenancy import tenant_transaction
from persistence.uuid7 import unix_ms_of
from registry.client.base import RegistryReader
from registry.store.model_store import ModelStore
from scoring.columns import FloatArray
from scoring.errors import NotFound
from scoring.explain.treeshap import TOLERANCE
from scoring.feature_set.model_features import ModelFeatures
from scoring.model.rules_in_force import RulesInForce
from scoring.model.sandbox import MODEL as FIXED_TEST_MODEL
from scoring.model.sandbox import fixed_prediction, is_fixed
from scoring.prediction import Prediction


@dataclass(frozen=True, slots=True)
class Replayed:
    """A stored decision and its recomputation.

    Attributes:
        decided: stored decision.
        differences: values that differ, see `differences`.
        as_stored: names of the features that were not recomputed, because they use windows.
    """

    decided: Decided
    differences: list[Difference]
    as_stored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """A value of a decision that differs from its recomputation.

    Attributes:
        name: name of the value.
        stored: stored value.
        recomputed: recomputed value.
    """

    name: str
    stored: float | str | None
    recomputed: float | str | None


def replay(
    engine: Engine,
    registry: RegistryReader,
    model_store: ModelStore,
    prediction_id: UUID,
    reader: Actor,
) -> Replayed:
    """Recompute a stored decision with the policy that was in force for it.

    The explanation comes from the compiled trees or from LightGBM; both repeat it.

    Args:
        engine: database pool of the tables' owner.
        registry: client of the registry that has the model version.
        model_store: store that loads and verifies the model.
        prediction_id: prediction that is recomputed.
        reader: person that the access log names.

    Raises:
        NotFound: there is no such prediction, or its model version no longer exists.
        ModelRefused: the model version fails its checks now.
        RegistryUnavailable, StoreUnavailable: MLflow or Postgres cannot be reached.
    """
    decided = find_decision(engine, prediction_id, reader)
    decided_by = decided.prediction.model
    if decided_by == FIXED_TEST_MODEL and is_fixed(decided.transaction):
        fixed = fixed_prediction(decided.transaction)
        return Replayed(decided, differences(decided.prediction, fixed))
    version = registry.find(decided_by.name, decided_by.version)
    if version is None:
        raise NotFound(
            f"MLflow no longer has version {decided_by.version} of {decided_by.name}, so the"
            " decision cannot be replayed."
        )
    model = model_store.load(version)
    policy = model.policy
    if decided.policy_id is not None:
        own = read_policy(engine, decided.tenant_id, decided.policy_id)
        policy = own.policy or policy
    matrix = _matrix(model.features, decided)
    (recomputed,) = model.decide(model.explain_matrix(matrix), [policy])
    if decided.prediction.ruling is not None:
        recomputed = _ruled(engine, model.features, decided, recomputed)
    # A release that knows no `explore` may have decided at a policy that has it.
    if policy.explore and decided.prediction.approval_probability is not None:
        amount = decided.transaction.amount
        recomputed = recomputed.randomised(policy.explore, amount, decided.prediction_id)
    found = differences(decided.prediction, recomputed)
    return Replayed(decided, found, model.features.windowed)


def _ruled(
    engine: Engine, features: ModelFeatures, decided: Decided, recomputed: Prediction
) -> Prediction:
    """Return a recomputed prediction as the rules and lists decide it that were in force."""
    stored, event = decided.prediction.ruling, decided.transaction
    assert stored is not None  # noqa: S101 - the caller's condition
    values_of = event.document()
    named = [name for name, field in event.event_type.kept.items() if field.entity]
    entities = {str(values_of[name]) for name in named if values_of.get(name) is not None}
    with tenant_transaction(engine, decided.tenant_id) as connection:
        rules = RulesInForce(
            stored.as_of,
            rule_set_at(connection, decided.tenant_id, stored.as_of),
            index_of(connection, decided.tenant_id, stored.as_of, entities),
        ).of_model(event.event_type, features)
    values = [stored.windows.get(text, nan) for text in rules.compiled.window_texts]
    return rules.decide_with(event, recomputed, values, unix_ms_of(decided.prediction_id))


def _matrix(features: ModelFeatures, decided: Decided) -> FloatArray:
    """Return the features of a decision's event, float64 (1, features); windowed ones as stored."""
    unknown = [np.array([nan]) for _ in features.windows]
    matrix = features.matrix_of([decided.transaction], unknown)
    stored = _features(decided.prediction)
    for name in features.windowed:
        matrix[0, features.names.index(name)] = stored.get(name, nan)
    return matrix


def differences(stored: Prediction, recomputed: Prediction) -> list[Difference]:
    """Compare the values of _EXACT and the features bit by bit, the explanation within 1e-9.

    Contributions are sums, and another release may have added them in another order.
    """
    exact = [
        *((name, getattr(stored, name), getattr(recomputed, name)) for name in _EXACT),
        *_named("feature", _features(stored), _features(recomputed)),
        ("ruling", _ruling(stored), _ruling(recomputed)),
    ]
    explained = [
        ("base_value", stored.base_value, recomputed.base_value),
        *_named("contribution of", _contributions(stored), _contributions(recomputed)),
    ]
    return [
        *(Difference(*pair) for pair in exact if not _are_equal(*pair[1:])),
        *(Difference(*pair) for pair in explained if not abs(pair[1] - pair[2]) <= TOLERANCE),
    ]


_EXACT = (
    "margin",
    "raw_probability",
    "score",
    "threshold",
    "risk_band",
    "decision",
    "approval_probability",
    "decline_threshold",
)


def _are_equal(stored: float | str | None, recomputed: float | str | None) -> bool:
    """Whether values are the same; a missing feature is NaN, which does not equal itself."""
    return stored == recomputed or (stored != stored and recomputed != recomputed)


def _features(prediction: Prediction) -> dict[str, float]:
    return dict(zip(prediction.described.names, prediction.features, strict=True))


def _contributions(prediction: Prediction) -> dict[str, float]:
    return dict(zip(prediction.described.names, prediction.contributions, strict=True))


def _ruling(prediction: Prediction) -> str | None:
    """Return what rules and lists made of a prediction, as text; its windows are as stored."""
    ruling = prediction.ruling
    return None if ruling is None else json.dumps(ruling.document())


def _named(
    kind: str, stored: Mapping[str, float], recomputed: Mapping[str, float]
) -> list[tuple[str, float, float]]:
    """Return pairs of values by name; NaN where a side lacks the name."""
    names = dict.fromkeys([*stored, *recomputed])
    return [(f"{kind} {name}", stored.get(name, nan), recomputed.get(name, nan)) for name in names]

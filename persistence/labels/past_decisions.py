"""Mature decisions with what rules read of them: fields, features, and windows as stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, text

from persistence.decisions.rows import described_from
from persistence.labels.reader import apply_limit, label_columns, range_cursor, span_of
from persistence.labels.sql import NTH_PREDICTION, mature_decisions
from persistence.tenancy import tenant_transaction
from persistence.uuid7 import unix_ms_of
from scoring.backtest.decisions import DECIDERS, StoredDecisions, without_chance
from scoring.columns import BoolArray, Column, Columns, FloatArray
from scoring.event_type.columns import column_of
from scoring.event_type.fields import EventType, Field
from scoring.event_type.timestamps import parse_timestamp
from scoring.policy import OUTCOMES
from scoring.transaction import PAYSIM, WIRE_NAMES

_COLUMN_OF = {wire: name for name, wire in WIRE_NAMES.items()}
_OUTCOME = f"array_position(ARRAY{list(OUTCOMES)!r}, p.decision) - 1"
_DECIDER = (
    f"array_position(ARRAY{list(DECIDERS)!r}, coalesce(p.ruling->'decided_by'->>0, 'model')) - 1"
)
# Of the entries that matched, the first one decides.
_DECIDER_ID = """
    CASE p.ruling->'decided_by'->>0 WHEN 'rule' THEN (p.ruling->'decided_by'->>1)::bigint
    WHEN 'list_entry' THEN (p.ruling->'entries'->0->>0)::bigint ELSE 0 END
"""
_FIXED = (
    "p.id",
    "t.id",
    _OUTCOME,
    _DECIDER,
    _DECIDER_ID,
    "p.score",
    "p.threshold",
    "p.decline_threshold",
    "t.amount",
    "(p.ruling->>'as_of')::bigint",
)


@dataclass(frozen=True, slots=True)
class RuleInputs:
    """What rules read of payments.

    Attributes:
        event_type: event type of the payments; those of its earlier versions are read too.
        fields: names of fields.
        features: names of features.
        windows: canonical texts of windows.
    """

    event_type: EventType
    fields: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    windows: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PastDecisions:
    """n mature decisions, newest first, with what rules read of them.

    Attributes:
        decisions: decisions with their labels, chance apart.
        transaction_ids: id of each transaction.
        thresholds: threshold of the policy at each decision, float64 (n,).
        decline_thresholds: likewise from which it declined, NaN where it declined nothing.
        as_of: number of the change of rules and lists that was in force, int64 (n,); 0 for none.
        columns: column of each field.
        features: values of each feature, float64 (n, features), NaN where the version lacks it.
        windows: values of each window, float64 (n,), NaN where it is missing.
        has_windows: whether a decision stored all windows, bool (n,).
        truncated: whether the window of time has more decisions than the limit.
    """

    decisions: StoredDecisions
    transaction_ids: Sequence[UUID]
    thresholds: FloatArray
    decline_thresholds: FloatArray
    as_of: NDArray[np.int64]
    columns: Columns
    features: FloatArray
    windows: tuple[FloatArray, ...]
    has_windows: BoolArray
    truncated: bool


def read_past_decisions(
    engine: Engine,
    tenant_id: int,
    inputs: RuleInputs,
    *,
    maturity_days: float,
    window_days: float,
    limit: int,
    as_of: datetime,
) -> PastDecisions:
    """Return a tenant's mature decisions with what rules read of them.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose decisions are read.
        inputs: what is read of each.
        maturity_days, window_days, limit, as_of: as for `persistence.labels.reader.read_matured`.

    Raises:
        StoreUnavailable: Postgres is unreachable, the connection broke, or the schema is missing.
    """
    with tenant_transaction(engine, tenant_id) as connection:
        parameters = span_of(tenant_id, maturity_days, window_days, as_of) | {"limit": limit}
        truncated = apply_limit(connection, NTH_PREDICTION, parameters)
        parameters |= _versions(connection, tenant_id, inputs)
        selected = [*_FIXED, *_selected(inputs, parameters)]
        own = "IS NULL" if inputs.event_type is PAYSIM else "= ANY (%(type_ids)s)"
        statement = mature_decisions(", ".join(selected), f"AND t.event_type_id {own}")
        with range_cursor(connection) as cursor:
            rows = cursor.execute(statement, parameters).fetchall()
    by_column = list(zip(*rows, strict=True)) if rows else [()] * (len(selected) + 5)
    return _past(inputs, by_column, truncated=truncated)


def _past(
    inputs: RuleInputs, by_column: Sequence[Sequence[Any]], *, truncated: bool
) -> PastDecisions:
    ids, transaction_ids, outcomes, deciders, decider_ids, *rest = by_column[: len(_FIXED)]
    scores, thresholds, decline_thresholds, amounts = map(_floats, rest[:4])
    labels = label_columns(*map(_floats, by_column[-5:]))
    chance = _floats(by_column[-2])
    decisions = StoredDecisions(
        outcomes=without_chance(np.array(outcomes, dtype=np.int8), chance),
        deciders=np.array(deciders, dtype=np.int8),
        decider_ids=np.array(decider_ids, dtype=np.int64),
        scores=scores,
        amounts=amounts,
        labelled=labels["labelled"],
        is_fraud=labels["is_fraud"],
        weights=labels["weights"],
        decided_at_ms=np.array([unix_ms_of(id_) for id_ in ids], dtype=np.int64),
    )
    read = iter(by_column[len(_FIXED) : -5])
    kept = inputs.event_type.kept
    columns = {name: _column(kept[name], next(read)) for name in inputs.fields}
    features = np.empty((len(ids), len(inputs.features)))
    for place in range(len(inputs.features)):
        features[:, place] = _floats(next(read))
    return PastDecisions(
        decisions,
        transaction_ids,
        thresholds,
        decline_thresholds,
        np.array([change or 0 for change in rest[4]], dtype=np.int64),
        columns,
        features,
        tuple(_floats(next(read)) for _ in inputs.windows),
        _floats(next(read)) == 1,
        truncated,
    )


def _floats(values: Sequence[Any]) -> FloatArray:
    return np.array(values, dtype=np.float64)  # NumPy makes None NaN


def _column(field: Field, values: Sequence[Any]) -> Column:
    if field.kind == "timestamp":
        return column_of(
            field.kind, [parse_timestamp(v) if v is not None else None for v in values]
        )
    return column_of(field.kind, values)


def _versions(connection: Connection, tenant_id: int, inputs: RuleInputs) -> dict[str, Any]:
    """Return the tenant's model versions, where each has the features, and its event types."""
    rows = connection.execute(
        text(
            "SELECT name, version, features FROM model_versions"
            " WHERE tenant_id = :tenant_id ORDER BY 1, 2"
        ),
        {"tenant_id": tenant_id},
    ).all()
    described = [described_from(features).names for _, _, features in rows]
    types = connection.execute(
        text("SELECT id, document->>'name' FROM event_types WHERE tenant_id = :tenant_id"),
        {"tenant_id": tenant_id},
    )
    return {
        "names": [name for name, *_ in rows],
        "versions": [version for _, version, _ in rows],
        "type_ids": [id_ for id_, name in types if name == inputs.event_type.name],
        **{
            f"places_{i}": [names.index(name) + 1 if name in names else None for names in described]
            for i, name in enumerate(inputs.features)
        },
    }


def _selected(inputs: RuleInputs, parameters: dict[str, Any]) -> Iterator[str]:
    """Yield an expression for each input; names are parameters, which are added."""
    is_paysim = inputs.event_type is PAYSIM
    for i, name in enumerate(inputs.fields):
        kind = inputs.event_type.kept[name].kind
        parameters[f"field_{i}"] = name
        value = f"t.{_COLUMN_OF[name]}" if is_paysim else f"(t.fields->>%(field_{i})s)"
        yield value + _CASTS.get(kind, "")
    for i, name in enumerate(inputs.features):
        parameters[f"feature_{i}"] = name
        yield (
            f"coalesce(p.feature_values[(%(places_{i})s::int[])[model.place]],"
            f" (p.features->>%(feature_{i})s)::float8)"
        )
    for i, window in enumerate(inputs.windows):
        parameters[f"window_{i}"] = window
        yield f"(p.ruling->'windows'->>%(window_{i})s)::float8"
    parameters["windows"] = list(inputs.windows)
    # The document is null where no rule had a window; all of none are there all the same.
    yield "(coalesce(p.ruling->'windows', '{}') ?& %(windows)s::text[])::int::float8"


_CASTS: Mapping[str, str] = {
    "number": "::float8",
    "integer": "::float8",
    "boolean": "::boolean::int::float8",
}

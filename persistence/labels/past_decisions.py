"""Mature decisions with what rules read of them: fields, features, and windows as stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, text

from persistence.decisions.rows import described_from
from persistence.labels.reader import apply_limit, label_columns, range_cursor, span_of
from persistence.labels.sql import NTH_PREDICTION, SHADOW_SCORES, mature_decisions
from persistence.tenancy import tenant_transaction
from scoring.backtest.decisions import DECIDERS, StoredDecisions, without_chance
from scoring.columns import BoolArray, Column, Columns, FloatArray, TextColumn
from scoring.event_type.columns import column_of
from scoring.event_type.fields import EventType, Field
from scoring.event_type.timestamps import parse_timestamp
from scoring.policy import OUTCOMES
from scoring.prediction import ModelVersion
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
# By the policy that was in force, chance, rules and lists apart.
_OUTCOME_OF_VERSION = f"""
    CASE WHEN (p.model_name, p.model_version) = (%(scored_by_name)s, %(scored_by_version)s)
    THEN CASE WHEN p.score >= p.decline_threshold THEN {OUTCOMES.index("decline")}
        WHEN p.score >= p.threshold THEN {OUTCOMES.index("review")}
        ELSE {OUTCOMES.index("approve")} END
    ELSE array_position(ARRAY{list(OUTCOMES)!r}, s.decision) - 1 END
"""
_IDS = ("p.id", "t.id")
_NUMBERS = (
    _OUTCOME,
    _DECIDER,
    _DECIDER_ID,
    "p.score",
    "p.threshold",
    "p.decline_threshold",
    "t.amount",
    "coalesce((p.ruling->>'as_of')::bigint, 0)",
)
_LABELS = 5
"""Columns that `label_columns` takes."""


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
        id_bytes: id of each transaction, 16 bytes each, void (n,): see `transaction_id`.
        thresholds: threshold of the policy at each decision, float64 (n,).
        decline_thresholds: likewise from which it declined, NaN where it declined nothing.
        as_of: number of the change of rules and lists that was in force, int64 (n,); 0 for none.
        columns: column of each field.
        features: values of each feature, float64 (n, features), NaN where the version lacks it.
        windows: values of each window, float64 (n,), NaN where it is missing.
        has_windows: whether a decision stored all windows, bool (n,).
        version_outcomes: outcome of the version that was asked for, as it scored each payment, by
            the policy in force then: index into OUTCOMES, float64 (n,); NaN where it did not
            score the payment, and everywhere if none was asked for.
        truncated: whether the window of time has more decisions than the limit.
    """

    decisions: StoredDecisions
    id_bytes: NDArray[np.void]
    thresholds: FloatArray
    decline_thresholds: FloatArray
    as_of: NDArray[np.int64]
    columns: Columns
    features: FloatArray
    windows: tuple[FloatArray, ...]
    has_windows: BoolArray
    version_outcomes: FloatArray
    truncated: bool

    def select(self, rows: BoolArray) -> PastDecisions:
        """Return some of the decisions.

        Args:
            rows: whether each decision is one of them, bool (n,).
        """
        return replace(
            self,
            decisions=self.decisions.select(rows),
            id_bytes=self.id_bytes[rows],
            thresholds=self.thresholds[rows],
            decline_thresholds=self.decline_thresholds[rows],
            as_of=self.as_of[rows],
            columns={name: _selected_rows(one, rows) for name, one in self.columns.items()},
            features=self.features[rows],
            windows=tuple(window[rows] for window in self.windows),
            has_windows=self.has_windows[rows],
            version_outcomes=self.version_outcomes[rows],
        )

    def transaction_id(self, row: int) -> UUID:
        """Return the id of a transaction."""
        return UUID(bytes=self.id_bytes[row].tobytes())


def read_past_decisions(
    engine: Engine,
    tenant_id: int,
    inputs: RuleInputs,
    *,
    maturity_days: float,
    window_days: float,
    limit: int,
    as_of: datetime,
    version: ModelVersion | None = None,
    scored_by: ModelVersion | None = None,
) -> PastDecisions:
    """Return a tenant's mature decisions with what rules read of them.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose decisions are read.
        inputs: what is read of each.
        maturity_days, window_days, limit, as_of: as for `persistence.labels.reader.read_matured`.
        version: model version whose decisions are read; None: those of every version.
        scored_by: model version whose outcomes are read, also where another one decided.

    Raises:
        StoreUnavailable: Postgres is unreachable, the connection broke, or the schema is missing.
    """
    with tenant_transaction(engine, tenant_id) as connection:
        parameters = span_of(tenant_id, maturity_days, window_days, as_of) | {"limit": limit}
        truncated = apply_limit(connection, NTH_PREDICTION, parameters)
        parameters |= _versions(connection, tenant_id, inputs, version)
        numbers, texts = _selected(inputs, parameters)
        if scored_by is not None:
            parameters["scored_by_name"] = scored_by.name
            parameters["scored_by_version"] = scored_by.version
        outcome = "NULL" if scored_by is None else _OUTCOME_OF_VERSION
        shadow = "" if scored_by is None else SHADOW_SCORES
        numbers = [*_NUMBERS, *numbers, outcome]
        statement = _in_columns(numbers, texts, inputs.event_type, shadow)
        with range_cursor(connection) as cursor:
            row = cursor.execute(statement, parameters).fetchone()
    return _past(inputs, row or (), truncated=truncated)


def _in_columns(
    numbers: Sequence[str], texts: Sequence[str], event_type: EventType, joined: str
) -> str:
    """Return the statement whose one row has a value for each column.

    psycopg would make an object of each number of 200,000 rows, which takes longer than all else.
    """
    own = "IS NULL" if event_type is PAYSIM else "= ANY (%(type_ids)s)"
    selected = (*_IDS, *(f"({number})::float8" for number in numbers), *texts)
    rows = mature_decisions(", ".join(selected), f"AND t.event_type_id {own}", joined=joined)
    names = [f"c{i}" for i in range(len(selected) + _LABELS)]
    first_text = len(_IDS) + len(numbers)
    is_text = range(first_text, first_text + len(texts))
    columns = [
        f"string_agg(uuid_send({name}), ''::bytea)"
        if i < len(_IDS)
        else f"array_agg({name})"
        if i in is_text
        else f"string_agg(float8send(coalesce({name}, 'NaN'::float8)), ''::bytea)"
        for i, name in enumerate(names)
    ]
    return f"SELECT {', '.join(columns)} FROM ({rows}) AS past ({', '.join(names)})"  # noqa: S608


def _past(inputs: RuleInputs, columns: Sequence[Any], *, truncated: bool) -> PastDecisions:
    ids, transaction_ids = (np.frombuffer(column or b"", "V16") for column in columns[:2])
    read = iter(columns[2:])

    def number() -> FloatArray:
        return np.frombuffer(next(read) or b"", ">f8").astype(np.float64)

    outcomes, deciders, decider_ids, scores, review, decline, amounts, changes = (
        number() for _ in _NUMBERS
    )
    kept = inputs.event_type.kept
    of_fields: dict[str, Column] = {
        name: number() for name in inputs.fields if _is_number(kept[name])
    }
    features = np.empty((len(ids), len(inputs.features)))
    for place in range(len(inputs.features)):
        features[:, place] = number()
    windows = tuple(number() for _ in inputs.windows)
    has_windows = number() == 1
    version_outcomes = number()
    for name in inputs.fields:
        if not _is_number(kept[name]):
            of_fields[name] = _column(kept[name], next(read) or ())
    labels = [number() for _ in range(_LABELS)]
    found = label_columns(*labels)
    decisions = StoredDecisions(
        outcomes=without_chance(outcomes.astype(np.int8), labels[-2]),
        deciders=deciders.astype(np.int8),
        decider_ids=decider_ids.astype(np.int64),
        scores=scores,
        amounts=amounts,
        labelled=found["labelled"],
        is_fraud=found["is_fraud"],
        weights=found["weights"],
        decided_at_ms=_unix_ms(ids),
    )
    return PastDecisions(
        decisions,
        transaction_ids,
        review,
        decline,
        changes.astype(np.int64),
        of_fields,
        features,
        windows,
        has_windows,
        version_outcomes,
        truncated,
    )


def _selected_rows(column: Column, rows: BoolArray) -> Column:
    if isinstance(column, TextColumn):
        return TextColumn(column.codes[rows], column.values)
    return column[rows]


def _unix_ms(ids: NDArray[np.void]) -> NDArray[np.int64]:
    """Return the milliseconds since 1970 that UUIDv7 begin with, int64 (n,)."""
    leading = np.zeros((len(ids), 8), np.uint8)
    leading[:, 2:] = np.frombuffer(ids.tobytes(), np.uint8).reshape(-1, 16)[:, :6]
    return leading.view(">i8").ravel().astype(np.int64)


def _is_number(field: Field) -> bool:
    return field.kind in _CASTS


def _column(field: Field, values: Sequence[Any]) -> Column:
    if field.kind == "timestamp":
        return column_of(
            field.kind, [parse_timestamp(v) if v is not None else None for v in values]
        )
    return column_of(field.kind, values)


def _versions(
    connection: Connection, tenant_id: int, inputs: RuleInputs, version: ModelVersion | None
) -> dict[str, Any]:
    """Return the tenant's model versions, where each has the features, and its event types."""
    rows = connection.execute(
        text(
            "SELECT name, version, features FROM model_versions"
            " WHERE tenant_id = :tenant_id ORDER BY 1, 2"
        ),
        {"tenant_id": tenant_id},
    ).all()
    if version is not None:
        rows = [row for row in rows if (row[0], row[1]) == (version.name, version.version)]
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


def _selected(inputs: RuleInputs, parameters: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Return the expressions of numbers and of texts; names are parameters, which are added."""
    is_paysim = inputs.event_type is PAYSIM
    numbers: list[str] = []
    texts: list[str] = []
    for i, name in enumerate(inputs.fields):
        kind = inputs.event_type.kept[name].kind
        parameters[f"field_{i}"] = name
        value = f"t.{_COLUMN_OF[name]}" if is_paysim else f"(t.fields->>%(field_{i})s)"
        (numbers if kind in _CASTS else texts).append(value + _CASTS.get(kind, ""))
    for i, name in enumerate(inputs.features):
        parameters[f"feature_{i}"] = name
        numbers.append(
            f"coalesce(p.feature_values[(%(places_{i})s::int[])[model.place]],"
            f" (p.features->>%(feature_{i})s)::float8)"
        )
    for i, window in enumerate(inputs.windows):
        parameters[f"window_{i}"] = window
        numbers.append(f"(p.ruling->'windows'->>%(window_{i})s)::float8")
    parameters["windows"] = list(inputs.windows)
    # The document is null where no rule had a window; all of none are there all the same.
    numbers.append("(coalesce(p.ruling->'windows', '{}') ?& %(windows)s::text[])::int")
    return numbers, texts


_CASTS: Mapping[str, str] = {
    "number": "::float8",
    "integer": "::float8",
    "boolean": "::boolean::int::float8",
}

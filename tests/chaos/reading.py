"""Read what is stored: the rows of the tables and the files of the journal's quarantine."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from scoring.windows.records import event_ids
from tests.chaos.payments import FEATURES
from tests.chaos.tables import TWICE, Row, Tables

_ROWS = """
SELECT n.slug, t.external_id, t.id::text AS transaction_id, p.id::text AS prediction_id,
    t.step, t.type, t.amount, t.name_orig, t.oldbalance_org, t.name_dest, t.oldbalance_dest,
    t.fields, p.score, p.margin, p.base_value, p.threshold, p.risk_band, p.decision, p.model_name,
    p.model_version, extract(epoch FROM p.drained_at)::float8 AS drained, p.unread_windows,
    p.contributions, p.features, p.contribution_values, p.feature_values
FROM predictions p
JOIN transactions t ON (t.tenant_id, t.id) = (p.tenant_id, p.transaction_id)
JOIN tenants n ON n.id = p.tenant_id
"""
_HALVES = """
SELECT 'transaction ' || t.id FROM transactions t LEFT JOIN predictions p
    ON (p.tenant_id, p.transaction_id) = (t.tenant_id, t.id) WHERE p.id IS NULL
UNION ALL
SELECT 'prediction ' || p.id FROM predictions p LEFT JOIN transactions t
    ON (t.tenant_id, t.id) = (p.tenant_id, p.transaction_id) WHERE t.id IS NULL
"""
_CLAIMS = """
SELECT n.slug, k.key, k.prediction_id::text
FROM idempotency_keys k JOIN tenants n ON n.id = k.tenant_id
"""
_RECENT = """
SELECT n.slug, e.entity, e.key, e.event_id::text
FROM entity_events e JOIN tenants n ON n.id = e.tenant_id
"""
_SEGMENTS = """
SELECT n.slug, s.entity, s.key, s.events, s.records
FROM entity_segments s JOIN tenants n ON n.id = s.tenant_id
"""


def read_tables(url: str, journal: Path) -> Tables:
    """Read everything that is stored.

    Args:
        url: address of Postgres, as its superuser.
        journal: folder of the journals.
    """
    tables = Tables()
    with psycopg.connect(url) as connection:
        with connection.cursor("rows", row_factory=dict_row) as cursor:
            for values in cursor.execute(_ROWS):
                tables.rows.append(_row(values))
        tables.halves = [half for (half,) in connection.execute(_HALVES)]
        for slug, key, prediction_id in connection.execute(_CLAIMS):
            tables.claims[slug, key] = prediction_id
        for event in _past(connection):
            tables.past[event] = tables.past.get(event, 0) + 1
    for path in journal.glob("*/quarantine/*"):
        tables.set_aside |= _set_aside(path)
    return tables


def _row(values: Mapping[str, Any]) -> Row:
    names = list(FEATURES)
    contributions, features = values["contributions"], values["features"]
    if values["feature_values"] is not None:
        contributions = dict(zip(names, values["contribution_values"], strict=True))
        features = dict(zip(names, values["feature_values"], strict=True))
    return Row(
        tenant=values["slug"],
        **{name: values[name] for name in _SAME},
        body=_body(values),
        unread_windows=values["unread_windows"] or [],
        contributions=contributions,
        # NaN has no form in JSON.
        features={name: None if value != value else value for name, value in features.items()},
    )


_SAME = (
    *("external_id", "transaction_id", "prediction_id", "score", "margin", "base_value"),
    *("threshold", "risk_band", "decision", "model_name", "model_version", "drained"),
)
_PAYSIM = {
    "step": "step",
    "type": "type",
    "amount": "amount",
    "nameOrig": "name_orig",
    "oldbalanceOrg": "oldbalance_org",
    "nameDest": "name_dest",
    "oldbalanceDest": "oldbalance_dest",
}


def _body(values: Mapping[str, Any]) -> dict[str, Any]:
    if values["fields"] is None:
        body = {name: values[column] for name, column in _PAYSIM.items()}
    else:
        body = dict(values["fields"])
    return body if values["external_id"] is None else body | {"external_id": values["external_id"]}


def _past(connection: psycopg.Connection[Any]) -> Iterator[tuple[str, str, str, str]]:
    """Yield each past event of each entity as often as it is kept."""
    yield from connection.execute(_RECENT)
    for slug, entity, key, count, records in connection.execute(_SEGMENTS):
        found = event_ids(records, count)
        for event_id in found:
            yield slug, entity, key, str(UUID(bytes=event_id))
        if len(found) < count:
            yield slug, entity, key, TWICE


def _set_aside(path: Path) -> dict[str, str]:
    """Return the reason by prediction of a file of the quarantine, or by its name without one."""
    if path.suffix != ".json":
        return {path.name: "damaged bytes"}
    document = json.loads(path.read_text())
    return dict.fromkeys(document["prediction_ids"], str(document["reason"]))

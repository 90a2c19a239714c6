"""Predictions of a window, counted into the bins of a training distribution by Postgres.

`width_bucket(value, edges)` is numpy's `searchsorted(edges, value, "right")`, with which training
counts: https://www.postgresql.org/docs/current/functions-math.html. One pass over the window, of
5 µs a row, and no row leaves the database.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, func, select, text

from persistence.tables.decisions import PredictionRow
from persistence.tables.deployments import ProductionVersionRow
from persistence.tenancy import tenant_transaction
from persistence.uuid7 import first_id_at
from scoring.evaluation.drift import SCORE, Binned
from scoring.model import sandbox
from scoring.prediction import ModelVersion


@dataclass(frozen=True, slots=True)
class Window:
    """When predictions were made: from `since` (aware) on, and before `until`."""

    since: datetime
    until: datetime

    def ids(self) -> dict[str, Any]:
        """Return the range of ids, which Postgres reads the window's partitions alone for."""
        return {
            "first_id": first_id_at(int(self.since.timestamp() * 1000)),
            "end_id": first_id_at(int(self.until.timestamp() * 1000)),
        }


def versions_in(engine: Engine, tenant_id: int, window: Window) -> dict[ModelVersion, int]:
    """Return how many of a tenant's predictions each version made in a window.

    The version in production is among them even where it made none; what answers fixed test
    transactions is not.
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
        found = {ModelVersion(*row): 0 for row in connection.execute(production)}
        for name, version, count in connection.execute(counted):
            found[ModelVersion(name, version)] = count
    return found


def bin_counts(
    connection: Connection,
    tenant_id: int,
    version: ModelVersion,
    window: Window,
    trained: Mapping[str, Binned],
) -> dict[str, list[int]]:
    """Count the features and the score of a version's predictions.

    Args:
        connection: in a transaction that sees the tenant.
        tenant_id, version, window: which predictions.
        trained: the bins, by feature name and by SCORE; at least one.

    Returns:
        For each name the rows in each bin; a prediction that lacks a feature is in none of it.
    """
    values: dict[str, Any] = {
        "tenant_id": tenant_id,
        "model_name": version.name,
        "model_version": version.version,
        **window.ids(),
    }
    buckets = []
    for index, (name, binned) in enumerate(trained.items()):
        values[f"edges_{index}"] = list(binned.edges)
        value = "p.score"
        if name != SCORE:
            values[f"name_{index}"] = name
            value = f"CAST(p.features ->> CAST(:name_{index} AS text) AS float8)"
        buckets.append(f"({index}, width_bucket({value}, CAST(:edges_{index} AS float8[])))")
    statement = text(
        f"""
        SELECT binned.quantity, binned.bin, count(*)
        FROM predictions p, LATERAL (VALUES {", ".join(buckets)}) AS binned (quantity, bin)
        WHERE p.tenant_id = :tenant_id AND p.id >= :first_id AND p.id < :end_id
            AND p.model_name = :model_name AND p.model_version = :model_version
            AND binned.bin IS NOT NULL
        GROUP BY 1, 2
        """  # noqa: S608 - numbers of our making; names and edges are parameters
    )
    names = list(trained)
    counts = {name: [0] * len(binned.proportions) for name, binned in trained.items()}
    for quantity, bin_, count in connection.execute(statement, values):
        counts[names[quantity]][bin_] = count
    return counts

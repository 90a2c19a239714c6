"""The SQL of an earlier release, as it was released."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from persistence.decisions.insert_sql import INPUT
from persistence.decisions.rows import Decided
from persistence.decisions.shadow_scores import ShadowScore
from persistence.pipeline.binary_arrays import DOCUMENTS
from tests.support.paths import PROJECT

RELEASES = sorted((PROJECT / "tests/integration/persistence/schema").glob("release_*.sql"))
"""Statements of each release that is kept, the last one last; named for its revision."""


def revision_of(release: Path) -> str:
    """Return the revision of a release's schema: one release may have several migrations."""
    return release.stem.removeprefix("release_")


class ReleasedStatements:
    """An earlier release that runs its statements on a connection of its own.

    Args:
        connection: connection that begins no transaction by itself and returns rows as dicts.
        release: file of RELEASES.
    """

    def __init__(self, connection: psycopg.Connection[dict[str, Any]], release: Path) -> None:
        self._connection = connection
        parts = re.split(r"^-- name: (\w+)\n", release.read_text(), flags=re.MULTILINE)
        self._statements = dict(zip(parts[1::2], parts[2::2], strict=True))

    @contextmanager
    def transaction(self, *tenant_ids: int) -> Iterator[None]:
        """A transaction that sees the rows of tenants."""
        with self._connection.transaction():
            self("set_tenants", {"tenants": ",".join(map(str, tenant_ids))})
            yield

    def __call__(self, statement: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Run a statement by its name; return its rows."""
        cursor = self._connection.execute(self._statements[statement], values)
        return cursor.fetchall() if cursor.description else []

    def insert(self, batch: Sequence[Decided]) -> set[UUID]:
        """Store a batch; return the predictions that were stored."""
        given = {name: [value(d) for d in batch] for name, (_, value) in INPUT.items()}
        documents = (name for name, (kind, _) in INPUT.items() if kind is DOCUMENTS)
        given |= {name: [value and value.decode() for value in given[name]] for name in documents}
        with self.transaction(*{d.tenant_id for d in batch}):
            absent = {row["prediction_id"] for row in self("insert", given)}
        return {d.prediction_id for d in batch} - absent

    def insert_shadow_scores(self, scores: Sequence[ShadowScore]) -> None:
        """Store shadow scores of one or many tenants."""
        columns = {
            "tenant_id": [s.tenant_id for s in scores],
            "prediction_id": [s.prediction_id for s in scores],
            "model_name": [s.model.name for s in scores],
            "model_version": [s.model.version for s in scores],
            "margin": [s.margin for s in scores],
            "score": [s.score for s in scores],
            "threshold": [s.threshold for s in scores],
            "decision": [s.decision for s in scores],
        }
        with self.transaction(*{s.tenant_id for s in scores}):
            self("insert_shadow_scores", columns)

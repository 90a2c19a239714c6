"""During a deployment the release before this one runs on this one's schema: what it says works.

Its SQL is kept, as it was released, in `release_<revision>.sql`; see docs/decisions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from alembic.script import ScriptDirectory
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from sqlalchemy import Engine

from persistence.decisions import Decided, body_digest, decided_from
from persistence.keys import issue_key, key_prefix
from persistence.log import DecisionLog
from persistence.migrate import alembic_config, current_revision, head_revision
from persistence.statements import columns
from persistence.tenants import Tenant
from tests.factories import a_decision

MakeTenant = Callable[..., Tenant]

HERE = Path(__file__).parent


def previous_revision(engine: Engine) -> str:
    """Return the revision below the newest one."""
    script = ScriptDirectory.from_config(alembic_config(engine))
    below = script.get_revision(head_revision()).down_revision
    assert isinstance(below, str)
    return below


class Previous:
    """The previous release: its statements, on a connection of its own."""

    def __init__(self, connection: psycopg.Connection[dict[str, Any]], released: str) -> None:
        self._connection = connection
        parts = re.split(r"^-- name: (\w+)\n", released, flags=re.MULTILINE)
        self._statements = dict(zip(parts[1::2], parts[2::2], strict=True))

    def __call__(self, statement: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Run a statement by its name; return its rows."""
        cursor = self._connection.execute(self._statements[statement], values)
        return cursor.fetchall() if cursor.description else []

    def insert(self, batch: list[Decided]) -> set[UUID]:
        """Store a batch; return the predictions that were stored."""
        names = re.findall(r"%\((\w+)\)s", self._statements["insert"])
        rows = self("insert", dict(zip(names, columns(batch), strict=True)))
        return {row["id"] for row in rows}


@pytest.fixture
def previous(engine: Engine, database: str) -> Iterator[Previous]:
    """The previous release on this release's schema."""
    released = (HERE / f"release_{previous_revision(engine)}.sql").read_text()
    with psycopg.connect(database, row_factory=dict_row, autocommit=True) as connection:
        yield Previous(connection, released)


def test_the_sql_of_the_revision_below_the_newest_is_kept(engine: Engine) -> None:
    assert current_revision(engine) == head_revision()
    assert (HERE / f"release_{previous_revision(engine)}.sql").exists()


def test_the_previous_release_decides_on_this_schema(
    engine: Engine, make_tenant: MakeTenant, previous: Previous
) -> None:
    tenant = make_tenant()
    key = issue_key(engine, tenant.id, ("score",), b"secret")
    (found,) = previous("find_key", {"prefix": key_prefix(key)})
    assert (found["slug"], found["scopes"]) == ("demo", ["score"])
    assert [row["slug"] for row in previous("list_tenants", {})] == ["demo"]
    served = {"tenant_id": tenant.id, "name": "fraud-demo", "version": 7}
    for _ in range(2):
        previous(
            "record_model_version", served | {"policy": Jsonb({}), "calibrator_kind": "sigmoid"}
        )
    batch = [a_decision(tenant.id, external_id=f"order-{i}") for i in range(3)]
    assert previous.insert(batch) == {d.prediction_id for d in batch}
    asked = {"tenant_id": tenant.id, "prediction_id": batch[0].prediction_id}
    (row,) = previous("read", asked)
    assert decided_from(row).prediction == batch[0].prediction


def test_either_release_answers_what_the_other_has_decided(
    service_engine: Engine, make_tenant: MakeTenant, previous: Previous
) -> None:
    tenant_id = make_tenant().id
    log = DecisionLog(service_engine)
    by_old = a_decision(tenant_id, external_id="by-old")
    previous.insert([by_old])
    (answer,) = log.write([a_decision(tenant_id, external_id="by-old")])
    assert isinstance(answer, Decided)
    assert answer.prediction_id == by_old.prediction_id
    by_new = a_decision(tenant_id, external_id="by-new")
    log.write([by_new])
    again = a_decision(tenant_id, external_id="by-new")
    assert previous.insert([again]) == set()
    (row,) = previous("replay", {"tenant_ids": [tenant_id], "keys": ["by-new"]})
    assert row["id"] == by_new.prediction_id
    assert row["body_digest"] == body_digest(again.transaction)

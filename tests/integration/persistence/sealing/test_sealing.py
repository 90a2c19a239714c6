"""Rows are sealed once, in the order in which sealing finds them, and verify."""

from __future__ import annotations

from sqlalchemy import Engine

from persistence.sealing.sources import NOT_SEALED, SOURCES
from persistence.tables import Base
from tests.support.data.sealed import SealedLog, end_what_ends, put_every_kind
from tests.support.fixture_types import MakeTenant, Rows


def test_rows_of_every_kind_are_sealed_once_and_verify(
    engine: Engine, make_tenant: MakeTenant, log: SealedLog, rows: Rows
) -> None:
    tenant = make_tenant()
    put_every_kind(engine, tenant)
    end_what_ends(engine, tenant.id)
    sealed = log.seal()
    kinds = {row["kind"] for row in rows("SELECT DISTINCT kind FROM seal_leaves")}
    assert kinds == {source.kind for source in SOURCES} - {"expiry"}
    assert log.seal() == 0
    verdict = log.verify()
    assert (verdict.problems, verdict.rows, verdict.waiting, verdict.unproven) == ([], sealed, 0, 0)


def test_every_column_of_a_sealed_table_is_sealed_or_explained() -> None:
    for table in {source.table for source in SOURCES} | {"transactions"}:
        of_table = [source for source in SOURCES if source.table == table]
        if table == "transactions":
            (decision,) = (source for source in SOURCES if source.kind == "decision")
            named = {*decision.own, *decision.record, str(decision.split)}
            sealed = {column[2:] for column in named if column.startswith("t.")} | {"id"}
        else:
            sealed = {column for source in of_table for column in (*source.own, *source.record)}
        columns = set(Base.metadata.tables[table].columns.keys())
        assert columns - sealed == {"tenant_id"} | NOT_SEALED.get(table, set()), table


def test_whoever_did_something_is_a_field_of_its_own() -> None:
    for source in SOURCES:
        has_actor = "actor" in Base.metadata.tables[source.table].columns
        assert ("actor" in source.own) == (has_actor and not source.kind.endswith("_end"))
        assert not {"actor", "t.name_orig", "t.name_dest"} & set(source.record)

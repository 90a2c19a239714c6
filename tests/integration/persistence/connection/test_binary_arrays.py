"""Postgres reads binary arrays as the values that were encoded."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, nan
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.pq import ExecStatus

from persistence.pipeline.binary_arrays import (
    BIGINT,
    BYTEA,
    FLOAT8,
    INTEGER,
    TEXT,
    UUIDS,
    ArrayType,
)
from persistence.uuid7 import new_ids

IDS = [UUID(int=0), UUID(int=2**128 - 1)]


@pytest.fixture(scope="module")
def connection(postgres_url: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection for this file."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        yield connection


def read_by_postgres(
    connection: psycopg.Connection[Any], kind: ArrayType, values: list[Any]
) -> list[str | None]:
    """Send an array; return how Postgres writes each element."""
    statement = f"SELECT e::text FROM unnest($1::{kind.name}) AS e"  # noqa: S608 - our types
    pgconn = connection.pgconn
    pgconn.send_query_params(statement.encode(), [kind.encode(values)], [kind.oid], [1])
    pgconn.nonblocking = 0
    result = pgconn.get_result()
    assert result is not None
    assert pgconn.get_result() is None
    assert result.status == ExecStatus.TUPLES_OK, result.get_error_message()
    matching = (result.get_value(row, 0) for row in range(result.ntuples))
    return [None if value is None else bytes(value).decode() for value in matching]


@pytest.mark.parametrize(
    ("kind", "values", "written"),
    [
        (INTEGER, [0, -1, 2**31 - 1], ["0", "-1", "2147483647"]),
        (BIGINT, [-(2**63), 7], ["-9223372036854775808", "7"]),
        (BIGINT, [None, 7, None], [None, "7", None]),
        (FLOAT8, [0.1, -0.0, 5e-324, inf, nan], ["0.1", "-0", "5e-324", "Infinity", "NaN"]),
        (TEXT, ["", "a", None, "a", 'ä"{},\\'], ["", "a", None, "a", 'ä"{},\\']),
        (BYTEA, [b"", None, b"\0\xff"], ["\\x", None, "\\x00ff"]),
        (UUIDS, IDS, [str(id_) for id_ in IDS]),
    ],
    ids=lambda value: value.name if isinstance(value, ArrayType) else "",
)
def test_postgres_reads_each_element(
    connection: psycopg.Connection[Any],
    kind: ArrayType,
    values: list[Any],
    written: list[str | None],
) -> None:
    assert read_by_postgres(connection, kind, values) == written
    for value, alone in zip(values, written, strict=True):
        assert read_by_postgres(connection, kind, [value]) == [alone]
    assert read_by_postgres(connection, kind, []) == []


def test_a_thousand_elements_keep_their_order(connection: psycopg.Connection[Any]) -> None:
    ids = [id_ for pair in new_ids(500) for id_ in pair]
    assert read_by_postgres(connection, UUIDS, ids) == [str(id_) for id_ in ids]
    numbers = [1 / (i + 3) for i in range(1000)]
    assert read_by_postgres(connection, FLOAT8, numbers) == [repr(x) for x in numbers]

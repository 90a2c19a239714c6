"""How a kind of row is read for sealing: its SQL, and the fields of its leaves.

A value's text is what Postgres prints, in a session whose settings `PRINTING` fixes. It is hashed
as it is and never parsed, so no step in between can make two different values the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, text

PRINTING = text(
    "SELECT set_config('TimeZone', 'UTC', true), set_config('DateStyle', 'ISO', true),"
    " set_config('IntervalStyle', 'postgres', true), set_config('extra_float_digits', '1', true),"
    " set_config('bytea_output', 'hex', true), "
    + ", ".join(
        f"set_config('{name}', 'off', true)"
        for name in (
            *("jit", "enable_hashjoin", "enable_mergejoin", "enable_bitmapscan"),
            *("enable_seqscan", "enable_sort"),
        )
    )
)
"""Settings of the transactions that read rows to hash them.

The first ones are what printed values depend on. The others leave look-ups by index alone: every
statement reads a page by its key, and without statistics the planner reads whole tables instead
(10,000 decisions in pages of 1000: 13 s instead of 1).
"""

_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_BITS = {"integer": 31, "bigint": 63}

RECORD = "record"
"""Name of the field that has all columns of a row that are withdrawn together."""


@dataclass(frozen=True, slots=True)
class Source:
    """A kind of row that is sealed.

    Attributes:
        kind: name of the kind in its leaves.
        table: table that has a row for each leaf.
        key: columns of the table's primary key after the tenant, with their types.
        own: columns that are fields of their own, so that each can be withdrawn by itself; a null
            is left out. Names that begin with `t.` are columns of the transaction.
        record: columns that are one field together.
        split: column with a JSON object, each member of which is a field of its own; None: none.
        as_text: columns of type json, whose order counts and which are sealed as text.
        stamp: expression of the time at which the row was stored; None: it has none.
        of_transaction: whether the key begins with the transaction, whose month it shares.
        order: columns in whose order rows appear, with their types; empty: those of the key.
        joined: join of the transaction `t` to the row `r`; empty: none.
        where: condition of the rows that have a leaf of this kind.
        form: number of this list of columns; a new column is a new form, the old one stays.
    """

    kind: str
    table: str
    key: tuple[tuple[str, str], ...]
    own: tuple[str, ...] = ()
    record: tuple[str, ...] = ()
    split: str | None = None
    as_text: tuple[str, ...] = ()
    stamp: str | None = "r.created_at"
    of_transaction: bool = False
    order: tuple[tuple[str, str], ...] = ()
    joined: str = ""
    where: str = "true"
    form: int = 1

    @property
    def ordered(self) -> tuple[tuple[str, str], ...]:
        """The columns in whose order rows appear."""
        return self.order or self.key

    @property
    def key_sql(self) -> str:
        """The expression of the key's text."""
        parts = (["transaction_id"] if self.of_transaction else []) + [c for c, _ in self.key]
        return " || '/' || ".join(f"r.{column}::text" for column in parts)

    def key_values(self, key: str) -> list[str]:
        """Return the values of the key's columns, as text."""
        parts = key.split("/", len(self.key) - 1 + self.of_transaction)
        return parts[1:] if self.of_transaction else parts

    def is_key(self, key: str) -> bool:
        """Return whether a row could have a key: a leaf may have any text that was put in."""
        values, kinds = self.key_values(key), [kind for _, kind in self.key]
        if self.of_transaction:
            values, kinds = [key.partition("/")[0], *values], ["uuid", *kinds]
        return len(values) == len(kinds) and all(map(_is_value, kinds, values))

    def fields(self, row: Sequence[Any]) -> dict[str, str]:
        """Return the fields of a row of `content_sql` as JSON text by name."""
        found = {
            _name(column): value
            for column, value in zip(self.own, row, strict=False)
            if value is not None
        }
        found[RECORD] = row[len(self.own)]
        if self.split and row[-1] is not None:
            prefix = f"{_name(self.split)}."
            members: dict[str, str] = orjson.loads(row[-1])
            found.update((prefix + name, value) for name, value in members.items())
        return found

    def content_sql(self) -> str:
        """Return the select list of a row's content: the own fields, the record, the members."""
        columns = [f"to_jsonb({_qualified(column)})::text" for column in self.own]
        # Names and columns in one sorted order, so that the text does not depend on this file's.
        named = ", ".join(
            f"'{_name(column)}', {_qualified(column)}{'::text' if column in self.as_text else ''}"
            for column in sorted(self.record, key=_name)
        )
        columns.append(f"json_build_object({named})::text")
        if self.split:
            members = "json_object_agg(m.key, m.value::text)::text"
            columns.append(f"(SELECT {members} FROM jsonb_each({_qualified(self.split)}) AS m)")  # noqa: S608
        return ", ".join(columns)

    def page(
        self, connection: Connection, tenant_id: int, after: Sequence[str] | None, limit: int
    ) -> list[tuple[list[str], str, list[Any] | None]]:
        """Return the rows that follow a place, and the content of those that have no leaf.

        Args:
            connection: connection on which `PRINTING` is in force.
            tenant_id: tenant whose rows are read.
            after: values of `order` after which the page begins; None: at the beginning.
            limit: largest number of rows.

        Returns:
            Place, key and content by row; no content: the row has a leaf, or lacks a part.
        """
        names = ", ".join(f"r.{column}" for column, _ in self.ordered)
        places = ", ".join(
            f"r.{column}::text AS o{i}" for i, (column, _) in enumerate(self.ordered)
        )
        same = " AND ".join(f"r.{c} = page.{c}" for c, _ in self.key)
        own_columns = ", ".join(f"r.{c}" for c, _ in dict([*self.ordered, *self.key]).items())
        bound = ", ".join(f"CAST(:a{i} AS {kind})" for i, (_, kind) in enumerate(self.ordered))
        starting = f"AND ({names}) > ({bound})" if after is not None else ""
        width = len(self.ordered)
        statement = text(
            f"""
            WITH page AS MATERIALIZED (
                SELECT {own_columns}, {places}, {self.key_sql} AS leaf_key FROM {self.table} r
                WHERE r.tenant_id = :tenant_id AND {self.where} {starting}
                ORDER BY {names} LIMIT :limit
            )
            SELECT {", ".join(f"page.o{i}" for i in range(width))}, page.leaf_key, content.*
            FROM page
            LEFT JOIN LATERAL ({_leaf(self.kind, "page.leaf_key")}) AS l ON true
            LEFT JOIN LATERAL (
                SELECT true AS found, {self.content_sql()} FROM {self.table} r {self.joined}
                WHERE l.key IS NULL AND r.tenant_id = :tenant_id AND {same} LIMIT 1
            ) AS content ON true
            ORDER BY {", ".join(f"page.{c}" for c, _ in self.ordered)}
            """  # noqa: S608 - names are constants of `sources.py`
        )
        values = {f"a{i}": value for i, value in enumerate(after or ())}
        rows = connection.execute(statement, {"tenant_id": tenant_id, "limit": limit, **values})
        return [
            (list(row[:width]), row[width], list(row[width + 2 :]) if row[width + 1] else None)
            for row in rows
        ]

    def read(
        self, connection: Connection, tenant_id: int, keys: Sequence[str]
    ) -> dict[str, list[Any]]:
        """Return the content of rows by key; what is not there is left out."""
        columns = list(zip(*map(self.key_values, keys), strict=True))
        arrays = ", ".join(f"CAST(:k{i} AS {kind}[])" for i, (_, kind) in enumerate(self.key))
        names = ", ".join(f"k{i}" for i in range(len(self.key)))
        same = " AND ".join(f"r.{c} = asked.k{i}" for i, (c, _) in enumerate(self.key))
        statement = text(
            f"""
            SELECT {self.key_sql}, {self.content_sql()}
            FROM unnest({arrays}) AS asked ({names}) CROSS JOIN LATERAL (
                SELECT * FROM {self.table} r WHERE r.tenant_id = :tenant_id AND {same} LIMIT 1
            ) AS r {self.joined}
            WHERE {self.where}
            """  # noqa: S608 - names are constants of `sources.py`
        )
        values = {f"k{i}": list(column) for i, column in enumerate(columns)}
        rows = connection.execute(statement, {"tenant_id": tenant_id, **values})
        return {row[0]: list(row[1:]) for row in rows}

    def newest(
        self, connection: Connection, tenant_ids: Iterable[int], cap: str
    ) -> Iterator[tuple[int, list[str] | None]]:
        """Yield each tenant's newest place; None: it has no row.

        Args:
            connection: connection that sees the tenants' rows.
            tenant_ids: tenants that are looked at.
            cap: id above which a UUID is of the future, and is passed over.
        """
        names = ", ".join(f"r.{column}" for column, _ in self.ordered)
        backwards = ", ".join(f"r.{column} DESC" for column, _ in self.ordered)
        first, kind = self.ordered[0]
        capped = f"AND r.{first} < CAST(:cap AS uuid)" if kind == "uuid" else ""
        statement = text(
            f"""
            SELECT asked.id, newest.* FROM unnest(CAST(:ids AS bigint[])) AS asked (id)
            LEFT JOIN LATERAL (
                SELECT {names} FROM {self.table} r
                WHERE r.tenant_id = asked.id AND {self.where} {capped}
                ORDER BY {backwards} LIMIT 1
            ) AS newest ON true
            """  # noqa: S608 - names are constants of `sources.py`
        )
        given = {"ids": list(tenant_ids)} | ({"cap": cap} if capped else {})
        for row in connection.execute(statement, given):
            yield row[0], None if row[1] is None else [str(value) for value in row[1:]]

    def unsealed(
        self,
        connection: Connection,
        tenant_id: int,
        before: Any = None,  # noqa: ANN401 - a time
    ) -> tuple[int, str | None]:
        """Return how many rows have no leaf, and the key of one of them.

        Args:
            connection: connection that sees the tenant's rows.
            tenant_id: tenant whose rows are counted.
            before: time before which the rows were stored; None: at any time.
        """
        earlier = f"AND {self.stamp} < :before" if before is not None else ""
        statement = text(
            f"""
            SELECT count(*), min({self.key_sql} COLLATE "C") FROM {self.table} r
            LEFT JOIN LATERAL ({_leaf(self.kind, self.key_sql)}) AS l ON true
            WHERE r.tenant_id = :tenant_id AND {self.where} AND l.key IS NULL {earlier}
            """  # noqa: S608 - names are constants of `sources.py`
        )
        given = {"tenant_id": tenant_id} | ({"before": before} if earlier else {})
        count, key = connection.execute(statement, given).one()
        return count, key


def _leaf(kind: str, key_sql: str) -> str:
    """Return the look-up of a row's leaf.

    With LIMIT it stays a look-up by index: where the planner has no statistics of a new log, it
    joins with all leaves, and 10,000 rows took 19 s instead of 0.7 s.
    """
    return (
        "SELECT key FROM seal_leaves WHERE tenant_id = :tenant_id"  # noqa: S608 - constants
        f" AND kind = '{kind}' AND key = {key_sql} LIMIT 1"
    )


def _is_value(kind: str, text: str) -> bool:
    """Return whether Postgres prints a value of a type as a text."""
    if kind == "uuid":
        return _UUID.fullmatch(text) is not None
    if kind in _BITS:
        most = 1 << _BITS[kind]
        return _INTEGER.fullmatch(text) is not None and -most <= int(text) < most
    return True


def _name(column: str) -> str:
    """Return the name of a column in a leaf."""
    return f"transaction.{column[2:]}" if column.startswith("t.") else column


def _qualified(column: str) -> str:
    return column if "." in column else f"r.{column}"

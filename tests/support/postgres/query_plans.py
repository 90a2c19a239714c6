"""How Postgres runs a call's statements: the nodes of their plans, and what these read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Engine, event

LARGE = ("predictions", "shadow_scores", "transactions")
"""Tables that grow without end, partitioned by month."""


def plans(engine: Engine, call: Callable[[], object]) -> list[dict[str, Any]]:
    """Run a call, and return every node of the plans of its statements."""
    statements: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        statements.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        call()
    finally:
        event.remove(engine, "before_cursor_execute", note)
    (setting, settings), *queries = statements
    assert queries
    nodes: list[dict[str, Any]] = []
    with engine.begin() as connection:
        connection.exec_driver_sql(setting, settings)
        for query, parameters in queries:
            rows = connection.exec_driver_sql(
                f"EXPLAIN (ANALYZE, FORMAT JSON) {query}", parameters
            ).scalar_one()
            nodes += walk(rows[0]["Plan"])
    return nodes


def walk(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A plan's node and all below it."""
    yield node
    for child in node.get("Plans", []):
        yield from walk(child)


def rows_read(nodes: list[dict[str, Any]], table: str) -> float:
    """The number of rows read from a table's partitions, those filtered out included."""
    return sum(
        (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        for node in nodes
        if node.get("Relation Name", "").startswith(table)
    )


def scanned_whole(nodes: list[dict[str, Any]]) -> set[str]:
    """The large tables' partitions that were read from end to end and held rows."""
    return {
        node["Relation Name"]
        for node in nodes
        if node["Node Type"] == "Seq Scan"
        and node["Relation Name"].startswith(LARGE)
        and node["Actual Rows"] + node.get("Rows Removed by Filter", 0) > 0
    }

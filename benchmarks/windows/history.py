"""Fill the tables of every layout with the same past events, inside Postgres."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from psycopg import Connection

from benchmarks.windows.layouts import LAYOUTS, LEVELS_US, LIMBS

MODEL = "fraud-bench"
NOW_US = 1_700_000_000_000_000
"""Time of the first event that is scored."""
SPAN_US = 90 * 86_400_000_000
"""Time that the past events cover."""
EVENTS_OF_AN_ENTITY = 100
PAYLOAD_BYTES = 40
HOT_KEY = "C-hot"
HOT_EVENTS = 1_000_000
HOT_TILES_BYTES = 288_000
"""State of a hot entity: 820 tiles of one value and two conditions, as `state_bytes` has them."""
HOT_PENDING = 64
TILED_SHARE = 10
"""One of this many entities has rows in the layout of tiles, where all would take 60 million."""

_PAYLOAD = (
    "int8send(time_us) || float8send(round((exp(random_normal(3, 1)))::numeric, 2)::float8)"
    " || int8send(other) || int8send(i) || float8send(random())"
)
_EVENTS = f"""
INSERT INTO entity_events
SELECT %(tenant)s, kind, key, time_us, {_PAYLOAD} FROM (
    SELECT i, %(start)s + (i * %(step)s::float8)::bigint AS time_us,
        (random() * (%(entities)s - 1))::bigint AS payer,
        (random() * (%(entities)s - 1))::bigint AS payee
    FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS i
) AS made CROSS JOIN LATERAL
    (VALUES (1::smallint, 'C' || payer, payee), (2::smallint, 'M' || payee, payer))
    AS e (kind, key, other)
"""  # noqa: S608
_HOT = f"""
INSERT INTO entity_events
SELECT %(tenant)s, 1::smallint, '{HOT_KEY}', time_us, {_PAYLOAD} FROM (
    SELECT i, i AS other, %(start)s + (i * {SPAN_US}::float8 / {HOT_EVENTS})::bigint AS time_us
    FROM generate_series(1::bigint, {HOT_EVENTS}) AS i
) AS made
"""  # noqa: S608
# The newest events, eight an entity on average, are pending.
_STATES = f"""
INSERT INTO entity_states
SELECT tenant_id, kind, key, 1, string_agg(payload, '' ORDER BY time_us) FROM entity_events
WHERE time_us < %(pending)s AND key <> '{HOT_KEY}' GROUP BY 1, 2, 3
"""  # noqa: S608
_PENDING = f"""
INSERT INTO entity_pending (tenant_id, kind, key, payload)
SELECT tenant_id, kind, key, payload FROM entity_events
WHERE time_us >= %(pending)s AND key <> '{HOT_KEY}' ORDER BY time_us
"""  # noqa: S608
_HOT_STATE = f"""
INSERT INTO entity_states SELECT %(tenant)s, 1::smallint, '{HOT_KEY}', 1,
    (SELECT string_agg(float8send(random()), '') FROM generate_series(1, {HOT_TILES_BYTES // 8}))
"""  # noqa: S608
_HOT_PENDING = f"""
INSERT INTO entity_pending (tenant_id, kind, key, payload)
SELECT tenant_id, kind, key, payload FROM entity_events
WHERE tenant_id = %(tenant)s AND kind = 1 AND key = '{HOT_KEY}'
ORDER BY time_us DESC LIMIT {HOT_PENDING}
"""  # noqa: S608
_LOGS = """
INSERT INTO entity_logs SELECT tenant_id, kind, key, state FROM entity_states
"""
_TILES = f"""
INSERT INTO entity_tiles
SELECT tenant_id, kind, key, level, time_us / length * length, count(*),
    {", ".join("1" for _ in LIMBS)}, 1, 1
FROM entity_events CROSS JOIN (VALUES {
    ", ".join(f"({i}::smallint, {us}::bigint)" for i, us in enumerate(LEVELS_US))
}) AS l (level, length)
WHERE key = '{HOT_KEY}' OR substr(key, 2)::bigint %% {TILED_SHARE} = 0
GROUP BY 1, 2, 3, 4, 5
"""  # noqa: S608
_POLICY = """
USING (tenant_id = ANY (string_to_array(
    nullif(current_setting('sentinel.tenant_ids', true), ''), ',')::bigint[]))
"""
_CHUNK = 500_000


def fill(
    connection: Connection[Any], tenant: int, events: int, role: str, show: Callable[[str], None]
) -> None:
    """Create and fill the tables of every layout.

    Args:
        connection: connection of a superuser, in autocommit mode.
        tenant: tenant of every event.
        events: number of past events, besides those of the hot entity.
        role: role that reads and writes the tables, under row-level security.
        show: function that is called with what is done next.
    """
    given = {
        "tenant": tenant,
        "entities": events // EVENTS_OF_AN_ENTITY,
        "start": NOW_US - SPAN_US,
        "step": SPAN_US / events,
        "pending": NOW_US - SPAN_US * 8 // 100,
    }
    connection.execute("SET synchronous_commit = off")
    connection.execute("SET maintenance_work_mem = '1GB'")
    connection.execute("SET work_mem = '512MB'")
    for layout in LAYOUTS:
        for create in layout.tables.values():
            connection.execute(create)
    for first in range(0, events, _CHUNK):
        show(f"events from {first:,}")
        last = min(first + _CHUNK, events) - 1
        connection.execute(_EVENTS, given | {"first": first, "last": last})
    connection.execute(_HOT, given)
    for layout in LAYOUTS:
        if layout.name == "states":
            show("states")
            for statement in (_STATES, _PENDING, _HOT_STATE, _HOT_PENDING):
                connection.execute(statement, given)
        if layout.name == "appended":
            connection.execute(_LOGS)
        if layout.name == "tiles":
            show("tiles")
            connection.execute(_TILES, given)
        show(f"indexes of {layout.name}")
        for create in layout.indexes:
            connection.execute(create)
        for table in layout.tables:
            connection.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            connection.execute(f"CREATE POLICY own ON {table} {_POLICY}")
            connection.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {role}")
            connection.execute(f"VACUUM ANALYZE {table}")
    connection.execute("CHECKPOINT")

"""The layouts that are compared: tables, the statement that reads, and what a decision writes.

Each decision's statement is the service's own INSERT with one more common table expression.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from persistence.decisions.insert_sql import INPUT, INSERT
from persistence.pipeline.binary_arrays import BIGINT, BYTEA, TEXT, ArrayType
from persistence.pipeline.libpq import Statement

_ENTITIES = """
fresh CROSS JOIN LATERAL (VALUES (1::smallint, name_orig), (2::smallint, name_dest))
    AS e (kind, key)
"""
_REQUESTED = """
(SELECT unnest($1::bigint[]) AS tenant_id, unnest($2::bigint[])::smallint AS kind,
    unnest($3::text[]) AS key, unnest($4::bigint[]) AS since_us, unnest($5::bigint[]) AS until_us
) AS g
"""
READ_TYPES = (BIGINT, BIGINT, TEXT, BIGINT, BIGINT)
EVENT = {"event_us": BIGINT, "payload": BYTEA}
"""Parameters that every layout adds to a decision's own."""
LEVELS_US = (60_000_000, 3_600_000_000, 86_400_000_000)
LIMBS = [f"s{i}" for i in range(4)] + [f"q{i}" for i in range(6)]


@dataclass(frozen=True)
class Layout:
    """A way to keep history.

    Attributes:
        name: name in the results.
        tables: statements that create its tables, by table.
        indexes: statements that create the rest once the tables are filled.
        read: select list and joins of the statement that reads, from `g`.
        write: common table expressions that a decision's statement adds.
        folds: parameters of `write` besides EVENT, by name.
    """

    name: str
    tables: dict[str, str]
    indexes: tuple[str, ...]
    read: str
    write: str
    folds: dict[str, ArrayType] = field(default_factory=dict)

    def reading(self) -> Statement:
        """Return the statement that reads the history of entities."""
        oids = tuple(kind.oid for kind in READ_TYPES)
        sql = self.read.replace("<requested>", _REQUESTED)
        return Statement(f"read_{self.name}".encode(), sql.encode(), oids)

    def writing(self) -> Statement:
        """Return the decision's statement, which also keeps the history."""
        sql = INSERT.sql.decode()
        first = len(INPUT) + 1
        added = ", ".join(
            f"unnest(${i}::{kind.name}) AS {name}"
            for i, (name, kind) in enumerate(EVENT.items(), first)
        )
        write = self.write
        for i, name in enumerate(self.folds, first + len(EVENT)):
            write = write.replace(f"<{name}>", f"unnest(${i}::{self.folds[name].name})")
        end = ") AS given\n), claimed"
        last = "\nSELECT prediction_id, has_lock FROM given"
        if sql.count(end) != 1 or sql.count(last) != 1:
            raise RuntimeError("the decision's statement has another form")
        sql = sql.replace(end, f", {added}{end}").replace(last, f", {write}{last}")
        oids = tuple(kind.oid for kind in (*EVENT.values(), *self.folds.values()))
        return Statement(f"write_{self.name}".encode(), sql.encode(), INSERT.types + oids)


ROWS = Layout(
    name="rows",
    tables={
        "entity_events": """
CREATE TABLE entity_events (tenant_id bigint NOT NULL, kind smallint NOT NULL, key text NOT NULL,
    time_us bigint NOT NULL, payload bytea NOT NULL)
"""
    },
    indexes=("CREATE INDEX ON entity_events (tenant_id, kind, key, time_us) INCLUDE (payload)",),
    read="""
SELECT 0::bigint AS version, NULL::bytea AS state, NULL::bigint[] AS ids,
    (SELECT string_agg(e.payload, '') FROM entity_events e
     WHERE e.tenant_id = g.tenant_id AND e.kind = g.kind AND e.key = g.key
        AND e.time_us >= g.since_us AND e.time_us < g.until_us) AS pending
FROM <requested>
""",
    write=f"""
history AS (
    INSERT INTO entity_events (tenant_id, kind, key, time_us, payload)
    SELECT tenant_id, kind, key, event_us, payload FROM {_ENTITIES}
)
""",  # noqa: S608
)

STATES = Layout(
    name="states",
    tables={
        "entity_states": """
CREATE TABLE entity_states (tenant_id bigint, kind smallint, key text, version bigint NOT NULL,
    state bytea STORAGE MAIN NOT NULL) WITH (fillfactor = 80, toast_tuple_target = 8160)
""",
        "entity_pending": """
CREATE TABLE entity_pending (id bigint GENERATED ALWAYS AS IDENTITY, tenant_id bigint NOT NULL,
    kind smallint NOT NULL, key text NOT NULL, payload bytea NOT NULL)
""",
    },
    indexes=(
        "ALTER TABLE entity_states ADD PRIMARY KEY (tenant_id, kind, key)",
        "ALTER TABLE entity_pending ADD PRIMARY KEY (tenant_id, kind, key, id)",
    ),
    read="""
SELECT coalesce(s.version, 0), s.state, p.ids, p.payloads
FROM <requested>
LEFT JOIN entity_states s
    ON s.tenant_id = g.tenant_id AND s.kind = g.kind AND s.key = g.key
CROSS JOIN LATERAL (
    SELECT array_agg(p.id) AS ids, string_agg(p.payload, '') AS payloads FROM entity_pending p
    WHERE p.tenant_id = g.tenant_id AND p.kind = g.kind AND p.key = g.key
) AS p
""",
    write=f"""
history AS (
    INSERT INTO entity_pending (tenant_id, kind, key, payload)
    SELECT tenant_id, kind, key, payload FROM {_ENTITIES}
), folded AS (
    INSERT INTO entity_states AS s (tenant_id, kind, key, version, state)
    SELECT <fold_tenant>, <fold_kind>::smallint, <fold_key>, <fold_version>, <fold_state>
    ON CONFLICT (tenant_id, kind, key) DO UPDATE
        SET version = excluded.version, state = excluded.state
        WHERE s.version = excluded.version - 1
    RETURNING s.tenant_id, s.kind, s.key
), removed AS (
    DELETE FROM entity_pending p
    USING (SELECT <moved_tenant> AS tenant_id, <moved_kind>::smallint AS kind, <moved_key> AS key,
        <moved_id> AS id) AS m JOIN folded USING (tenant_id, kind, key)
    WHERE p.tenant_id = m.tenant_id AND p.kind = m.kind AND p.key = m.key AND p.id = m.id
)
""",  # noqa: S608
    folds={
        "fold_tenant": BIGINT,
        "fold_kind": BIGINT,
        "fold_key": TEXT,
        "fold_version": BIGINT,
        "fold_state": BYTEA,
        "moved_tenant": BIGINT,
        "moved_kind": BIGINT,
        "moved_key": TEXT,
        "moved_id": BIGINT,
    },
)

APPENDED = Layout(
    name="appended",
    tables={
        "entity_logs": """
CREATE TABLE entity_logs (tenant_id bigint, kind smallint, key text,
    state bytea STORAGE MAIN NOT NULL) WITH (fillfactor = 50, toast_tuple_target = 8160)
"""
    },
    indexes=("ALTER TABLE entity_logs ADD PRIMARY KEY (tenant_id, kind, key)",),
    read="""
SELECT 0::bigint, s.state, NULL::bigint[], NULL::bytea
FROM <requested>
LEFT JOIN entity_logs s ON s.tenant_id = g.tenant_id AND s.kind = g.kind AND s.key = g.key
""",
    # As many bytes leave as enter.
    write=f"""
history AS (
    INSERT INTO entity_logs AS s (tenant_id, kind, key, state)
    SELECT tenant_id, kind, key, string_agg(payload, '') FROM {_ENTITIES}
    GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (tenant_id, kind, key) DO UPDATE
        SET state = substr(s.state, length(excluded.state) + 1) || excluded.state
)
""",  # noqa: S608
)

_SENT = " || ".join(f"int8send(t.{name})" for name in ("tile_us", "count", *LIMBS))
_RANGES = " UNION ALL ".join(
    f"SELECT * FROM entity_tiles t WHERE t.tenant_id = g.tenant_id AND t.kind = g.kind"  # noqa: S608
    f" AND t.key = g.key AND t.level = {level} AND t.tile_us >= g.until_us - {reach}"
    for level, reach in enumerate((2 * LEVELS_US[1], 8 * LEVELS_US[2], 38 * LEVELS_US[2]))
)
TILES = Layout(
    name="tiles",
    tables={
        "entity_tiles": f"""
CREATE TABLE entity_tiles (tenant_id bigint, kind smallint, key text, level smallint,
    tile_us bigint, count bigint NOT NULL, {", ".join(f"{name} bigint NOT NULL" for name in LIMBS)},
    highest float8 NOT NULL, lowest float8 NOT NULL) WITH (fillfactor = 90)
"""
    },
    indexes=("ALTER TABLE entity_tiles ADD PRIMARY KEY (tenant_id, kind, key, level, tile_us)",),
    read=f"""
SELECT 0::bigint, (SELECT string_agg({_SENT} || float8send(t.highest) || float8send(t.lowest), '')
    FROM ({_RANGES}) AS t), NULL::bigint[], NULL::bytea
FROM <requested>
""",  # noqa: S608
    write=f"""
history AS (
    INSERT INTO entity_tiles AS t (tenant_id, kind, key, level, tile_us, count, {", ".join(LIMBS)},
        highest, lowest)
    SELECT tenant_id, kind, key, level, event_us / length * length, count(*),
        {", ".join("sum(amount)::bigint" for _ in LIMBS)}, max(amount), min(amount)
    FROM {_ENTITIES}
    CROSS JOIN LATERAL (VALUES {
        ", ".join(f"({i}::smallint, {us}::bigint)" for i, us in enumerate(LEVELS_US))
    }) AS l (level, length)
    GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
    ON CONFLICT (tenant_id, kind, key, level, tile_us) DO UPDATE SET
        count = t.count + excluded.count,
        {", ".join(f"{name} = t.{name} + excluded.{name}" for name in LIMBS)},
        highest = greatest(t.highest, excluded.highest),
        lowest = least(t.lowest, excluded.lowest)
)
""",  # noqa: S608
)

LAYOUTS = (ROWS, STATES, APPENDED, TILES)

"""Add names of API keys, the way and the object of audit entries, and the access log."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

SERVICE = "sentinel_service"

OF_THIS_TRANSACTION = """tenant_id = ANY ((SELECT string_to_array(
    nullif(current_setting('sentinel.tenant_ids', true), ''), ','))::bigint[])"""

SEE_ALL_TENANTS = """
SELECT set_config('sentinel.tenant_ids',
    (SELECT coalesce(string_agg(id::text, ','), '') FROM tenants), true)
"""

# A key that exists, or that the release before issues, is named by its prefix, which is the actor
# of its earlier entries.
NAME_KEYS = """
ALTER TABLE api_keys DISABLE TRIGGER audit;
UPDATE api_keys SET name = prefix;
ALTER TABLE api_keys ENABLE TRIGGER audit;
ALTER TABLE api_keys ALTER COLUMN name SET NOT NULL;
CREATE FUNCTION name_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.name := coalesce(NEW.name, NEW.prefix);
    RETURN NEW;
END $$;
REVOKE ALL ON FUNCTION name_key() FROM PUBLIC;
CREATE TRIGGER name BEFORE INSERT ON api_keys FOR EACH ROW EXECUTE FUNCTION name_key();
"""

AUDIT_OBJECT = """
CREATE FUNCTION audit_object(noun text, item jsonb) RETURNS text LANGUAGE sql IMMUTABLE
RETURN CASE noun
    WHEN 'tenant' THEN 'tenants/' || (item->>'slug')
    WHEN 'key' THEN 'keys/' || (item->>'prefix')
    WHEN 'feedback' THEN 'transactions/' || (item->>'transaction_id')
    WHEN 'policy' THEN 'policy'
    ELSE 'models/' || (item->>'name') || '/' || (item->>'version') END;
REVOKE ALL ON FUNCTION audit_object(text, jsonb) FROM PUBLIC;
UPDATE audit_log
SET object = audit_object(split_part(action, '.', 1), coalesce(after, before));
"""


def _audit_change(hidden: str, columns: str, values: str) -> str:
    """Return the function of revision 0002 with further hidden and further written columns."""
    return f"""
        CREATE OR REPLACE FUNCTION audit_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
        SET search_path FROM CURRENT AS $$
        DECLARE
            hidden CONSTANT text[] := ARRAY['digest', 'last_used_at'{hidden}];
            before CONSTANT jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) - hidden END;
            after CONSTANT jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) - hidden END;
            changed CONSTANT jsonb := coalesce(after, before);
            verb CONSTANT text := CASE TG_OP
                WHEN 'INSERT' THEN 'created' WHEN 'UPDATE' THEN 'changed' ELSE 'removed' END;
        BEGIN
            IF before IS DISTINCT FROM after THEN
                INSERT INTO audit_log (tenant_id, actor, action, before, after{columns}) VALUES (
                    coalesce(changed->>'tenant_id', changed->>'id')::bigint,
                    coalesce(nullif(current_setting('sentinel.actor', true), ''), session_user),
                    TG_ARGV[0] || '.' || verb, before, after{values});
            END IF;
            RETURN NULL;
        END $$;
    """  # noqa: S608 - constants of this file


def _audit_policy(columns: str, values: str) -> str:
    """Return the function of revision 0003 with further written columns."""
    return f"""
        CREATE OR REPLACE FUNCTION audit_policy() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
        SET search_path FROM CURRENT AS $$
        DECLARE
            own CONSTANT jsonb := (
                SELECT to_jsonb(p) FROM policies p WHERE p.tenant_id = NEW.tenant_id
                AND p.id < NEW.id ORDER BY p.id DESC LIMIT 1);
            version CONSTANT jsonb := (
                SELECT to_jsonb(v) FROM model_versions v JOIN production_versions
                USING (tenant_id, name, version) WHERE tenant_id = NEW.tenant_id);
        BEGIN
            INSERT INTO audit_log (tenant_id, actor, action, before, after{columns}) VALUES (
                NEW.tenant_id,
                coalesce(nullif(current_setting('sentinel.actor', true), ''), session_user),
                'policy.created',
                CASE WHEN own->'policy' <> 'null' THEN own ELSE version END,
                to_jsonb(NEW){values});
            RETURN NULL;
        END $$;
    """  # noqa: S608 - constants of this file


COLUMNS = ", via, object"
VIA = ", nullif(current_setting('sentinel.via', true), '')"
COMMENTS = {
    ("feedback", "actor"): ("public prefix of the API key", "name of the API key"),
    ("policies", "actor"): ("public prefix of the API key", "name of the API key"),
    ("refusals", "registered_ms"): (
        "Unix ms; tells a version from one registered again under its number",
        "Unix ms; distinguishes a version from a later one with its number",
    ),
}
INDEXES: dict[str, tuple[str, ...]] = {
    "at": (),
    "action": ("action",),
    "actor": ("actor",),
    "object": ("object",),
}
NEWEST_FIRST: tuple[Any, ...] = (sa.literal_column("at DESC"), sa.literal_column("id DESC"))


def upgrade() -> None:
    op.execute(SEE_ALL_TENANTS)
    op.add_column(
        "api_keys", sa.Column("name", sa.Text(), nullable=True, comment="actor in the audit log")
    )
    op.add_column(
        "api_keys",
        sa.Column(
            "secret_id",
            sa.Text(),
            nullable=True,
            comment="fingerprint of the digest's secret; null: not used since revision 0006",
        ),
    )
    op.execute(NAME_KEYS)
    op.create_check_constraint(
        op.f("ck_api_keys_name_length"), "api_keys", "char_length(name) BETWEEN 1 AND 64"
    )
    op.create_index(
        "uq_api_keys_active_name",
        "api_keys",
        ["tenant_id", "name"],
        unique=True,
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    # A key that is used is hashed under the first secret.
    op.execute(f"GRANT UPDATE (digest, secret_id) ON api_keys TO {SERVICE}")
    _extend_audit_log()
    _create_access_log()
    for (table, column), (_, comment) in COMMENTS.items():
        op.execute(f"COMMENT ON COLUMN {table}.{column} IS '{comment}'")


def _extend_audit_log() -> None:
    op.add_column(
        "audit_log",
        sa.Column(
            "via",
            sa.Text(),
            nullable=True,
            comment="key and its prefix, mlflow, or a command; null: a part of the product",
        ),
    )
    op.add_column(
        "audit_log",
        sa.Column(
            "object",
            sa.Text(),
            nullable=True,
            comment="what changed, such as keys/k3Jd82mQpz",
        ),
    )
    op.execute(AUDIT_OBJECT)
    op.execute(
        _audit_change(
            ", 'secret_id'",
            COLUMNS,
            f"{VIA},\n                    audit_object(TG_ARGV[0], changed)",
        )
    )
    op.execute(_audit_policy(COLUMNS, f"{VIA}, 'policy'"))
    op.drop_index("ix_audit_log_action", table_name="audit_log")
    for name, columns in INDEXES.items():
        op.create_index(f"ix_audit_log_{name}", "audit_log", ["tenant_id", *columns, *NEWEST_FIRST])


def _create_access_log() -> None:
    op.create_table(
        "access_log",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "id",
            sa.Uuid(),
            server_default=sa.text("uuidv7()"),
            nullable=False,
            comment="UUIDv7; has the time",
        ),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("via", sa.Text(), nullable=True, comment="key and its prefix"),
        sa.Column("action", sa.Text(), nullable=False, comment="such as transaction.read"),
        sa.Column("object", sa.Text(), nullable=True, comment="what was read, such as accounts/C1"),
        sa.Column(
            "details",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="filter of a search, number of rows",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_access_log")),
        postgresql_partition_by="RANGE (id)",
    )
    for name in ("action", "actor", "object"):
        op.create_index(
            f"ix_access_log_{name}", "access_log", ["tenant_id", name, sa.literal_column("id DESC")]
        )
    partitions = _partition_like_predictions()
    for table in ("access_log", *partitions):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY of_tenant ON {table} USING ({OF_THIS_TRANSACTION})")
    # Without the id: an entry has the time at which Postgres stored it.
    op.execute(
        f"GRANT SELECT, INSERT (tenant_id, actor, via, action, object, details)"
        f" ON access_log TO {SERVICE}"
    )


def _partition_like_predictions() -> list[str]:
    months = op.get_bind().execute(
        sa.text(
            """
            SELECT replace(c.relname, 'predictions', 'access_log'),
                pg_get_expr(c.relpartbound, c.oid)
            FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent = 'predictions'::regclass
            """
        )
    )
    names = []
    for name, bounds in months.all():
        op.execute(f"CREATE TABLE {name} PARTITION OF access_log {bounds}")
        names.append(name)
    return names


def downgrade() -> None:
    op.drop_table("access_log")
    for name in INDEXES:
        op.drop_index(f"ix_audit_log_{name}", table_name="audit_log")
    op.create_index(
        "ix_audit_log_action", "audit_log", ["tenant_id", "action", sa.literal_column("id DESC")]
    )
    op.execute(_audit_change("", "", ""))
    op.execute(_audit_policy("", ""))
    op.drop_column("audit_log", "object")
    op.drop_column("audit_log", "via")
    op.execute("DROP FUNCTION audit_object(text, jsonb)")
    op.execute("DROP TRIGGER name ON api_keys")
    op.execute("DROP FUNCTION name_key()")
    op.drop_index("uq_api_keys_active_name", table_name="api_keys")
    op.drop_constraint(op.f("ck_api_keys_name_length"), "api_keys", type_="check")
    op.drop_column("api_keys", "secret_id")
    op.drop_column("api_keys", "name")
    for (table, column), (comment, _) in COMMENTS.items():
        op.execute(f"COMMENT ON COLUMN {table}.{column} IS '{comment}'")

"""Add saved searches, and the service's rights to issue and revoke API keys.

Administrators issue and revoke keys in the console, which acts as the service. What a faulty handler
could do with the new rights: add a key to a tenant of its own transaction, with a hash that nobody's
key has unless it knows the secret of the hashes; and revoke that tenant's keys. Both are audited.
It cannot change a key's tenant, name, scopes or expiry, nor bring a revoked key back.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

SERVICE = "sentinel_service"
TABLE = "saved_searches"
OF_THIS_TRANSACTION = """tenant_id = ANY ((SELECT string_to_array(
    nullif(current_setting('sentinel.tenant_ids', true), ''), ','))::bigint[])"""
OF_PREFIX = "(prefix = (SELECT nullif(current_setting('sentinel.key_prefix', true), '')))"

ISSUE = "INSERT (tenant_id, prefix, name, digest, secret_id, scopes, expires_at)"
REVOKE = "UPDATE (revoked_at)"

KEEP_REVOKED = """
    CREATE FUNCTION keep_revoked() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at THEN
            RAISE insufficient_privilege
                USING MESSAGE = 'permission denied: a revoked key stays revoked';
        END IF;
        RETURN NEW;
    END $$
"""


def _audit_object(search: str) -> str:
    """Return the function of revision 0020 with a further noun."""
    return f"""
        CREATE OR REPLACE FUNCTION audit_object(noun text, item jsonb) RETURNS text
        LANGUAGE sql IMMUTABLE
        RETURN CASE
            WHEN noun = 'tenant' THEN 'tenants/' || (item->>'slug')
            WHEN noun = 'key' THEN 'keys/' || (item->>'prefix')
            WHEN noun IN ('feedback', 'label') THEN 'transactions/' || (item->>'transaction_id')
            WHEN noun = 'policy' THEN 'policy'
            WHEN noun = 'rule' THEN 'rules/' || (item->>'id')
            WHEN noun = 'snooze' THEN 'rules/' || (item->>'rule_id')
            WHEN noun = 'list' THEN 'lists/' || (item->>'name')
            WHEN noun = 'user' THEN 'users/' || (item->>'id')
            WHEN noun IN ('session', 'link'{search}) THEN 'users/' || (item->>'user_id')
            WHEN noun = 'assignment' THEN 'transactions/' || (item->>'transaction_id')
            ELSE 'models/' || (item->>'name') || '/' || (item->>'version') END
    """


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False, comment="parameters of the page's address"),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "char_length(name) BETWEEN 1 AND 64", name=op.f("ck_saved_searches_name_length")
        ),
        sa.CheckConstraint(
            "char_length(query) <= 4000", name=op.f("ck_saved_searches_query_length")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["users.tenant_id", "users.id"],
            name=op.f("fk_saved_searches_tenant_id_user_id_users"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_saved_searches")),
        sa.UniqueConstraint(
            *("tenant_id", "user_id", "name"),
            name=op.f("uq_saved_searches_tenant_id_user_id_name"),
        ),
    )
    op.execute(_audit_object(", 'search'"))
    op.execute(f"ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {TABLE} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY of_tenant ON {TABLE} USING ({OF_THIS_TRANSACTION})")
    op.execute(f"GRANT SELECT, INSERT, DELETE, UPDATE (query) ON {TABLE} TO {SERVICE}")
    op.execute(
        f"CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON {TABLE}"
        " FOR EACH ROW EXECUTE FUNCTION audit_change('search')"
    )
    # A key is found by its prefix before its tenant is known; a new one never is: without a command
    # the policy would let a transaction that names a prefix add a key to any tenant.
    op.execute("DROP POLICY of_prefix ON api_keys")
    op.execute(f"CREATE POLICY of_prefix ON api_keys FOR SELECT USING {OF_PREFIX}")
    op.execute(f"CREATE POLICY use_by_prefix ON api_keys FOR UPDATE USING {OF_PREFIX}")
    op.execute(KEEP_REVOKED)
    op.execute(
        "CREATE TRIGGER keep_revoked BEFORE UPDATE OF revoked_at ON api_keys"
        " FOR EACH ROW EXECUTE FUNCTION keep_revoked()"
    )
    op.execute(f"GRANT {ISSUE}, {REVOKE} ON api_keys TO {SERVICE}")


def downgrade() -> None:
    op.execute(f"REVOKE {ISSUE}, {REVOKE} ON api_keys FROM {SERVICE}")
    op.execute("DROP TRIGGER keep_revoked ON api_keys")
    op.execute("DROP FUNCTION keep_revoked()")
    op.execute("DROP POLICY use_by_prefix ON api_keys")
    op.execute("DROP POLICY of_prefix ON api_keys")
    op.execute(f"CREATE POLICY of_prefix ON api_keys USING {OF_PREFIX}")
    op.drop_table(TABLE)
    op.execute(_audit_object(""))

"""Add people: accounts, sessions and one-time links of the console, and a tenant's money and time.

New tables and columns without rows to rewrite; the release before does not read them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

SERVICE = "sentinel_service"
OF_THIS_TRANSACTION = """tenant_id = ANY ((SELECT string_to_array(
    nullif(current_setting('sentinel.tenant_ids', true), ''), ','))::bigint[])"""

GRANTS = {
    "users": "SELECT, INSERT, UPDATE (name, role, password_hash, password_set_at, failures,"
    " locked_until, disabled_at)",
    "user_sessions": "SELECT, INSERT, DELETE, UPDATE (last_seen_at)",
    "sign_in_links": "SELECT, INSERT, UPDATE (used_at)",
    "review_assignments": "SELECT, INSERT, UPDATE, DELETE",
}
"""Rights of the service by table."""

AUDITS = (
    "AFTER INSERT OR UPDATE OR DELETE ON users FOR EACH ROW EXECUTE FUNCTION audit_change('user')",
    "AFTER INSERT ON user_sessions FOR EACH ROW EXECUTE FUNCTION audit_change('session')",
    "AFTER INSERT OR UPDATE ON sign_in_links FOR EACH ROW EXECUTE FUNCTION audit_change('link')",
)
AUDIT_OF_ASSIGNMENTS = """CREATE TRIGGER audit AFTER INSERT OR UPDATE ON review_assignments
    FOR EACH ROW WHEN (NEW.until IS NULL) EXECUTE FUNCTION audit_change('assignment')"""
AUDIT_OF_ENDED_SESSIONS = """CREATE TRIGGER audit_end AFTER DELETE ON user_sessions
    FOR EACH ROW WHEN (OLD.expires_at > now()) EXECUTE FUNCTION audit_change('session')"""


def _audit_change(hidden: str) -> str:
    """Return the function of revision 0006 with further hidden columns."""
    return f"""
        CREATE OR REPLACE FUNCTION audit_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
        SET search_path FROM CURRENT AS $$
        DECLARE
            hidden CONSTANT text[] := ARRAY['digest', 'last_used_at', 'secret_id'{hidden}];
            before CONSTANT jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) - hidden END;
            after CONSTANT jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) - hidden END;
            changed CONSTANT jsonb := coalesce(after, before);
            verb CONSTANT text := CASE TG_OP
                WHEN 'INSERT' THEN 'created' WHEN 'UPDATE' THEN 'changed' ELSE 'removed' END;
        BEGIN
            IF before IS DISTINCT FROM after THEN
                INSERT INTO audit_log (tenant_id, actor, action, before, after, via, object) VALUES (
                    coalesce(changed->>'tenant_id', changed->>'id')::bigint,
                    coalesce(nullif(current_setting('sentinel.actor', true), ''), session_user),
                    TG_ARGV[0] || '.' || verb, before, after,
                    nullif(current_setting('sentinel.via', true), ''),
                    audit_object(TG_ARGV[0], changed));
            END IF;
            RETURN NULL;
        END $$;
    """  # noqa: S608 - constants of this file


def _audit_object(people: str) -> str:
    """Return the function of revision 0017 with further nouns."""
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
            {people}
            ELSE 'models/' || (item->>'name') || '/' || (item->>'version') END
    """


def upgrade() -> None:
    op.add_column(
        "tenants",
        sa.Column("currency", sa.Text(), nullable=True, comment="ISO 4217; null: not known"),
    )
    op.add_column(
        "tenants",
        sa.Column(
            "time_zone",
            sa.Text(),
            server_default=sa.text("'UTC'"),
            nullable=False,
            comment="IANA name, in which the console shows times",
        ),
    )
    op.create_table(
        "users",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("email", sa.Text(), nullable=False, comment="in lower case"),
        sa.Column("name", sa.Text(), nullable=False, comment="actor in the audit log"),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column(
            "password_hash",
            sa.Text(),
            nullable=True,
            comment="Argon2id, in the PHC string format",
        ),
        sa.Column("password_set_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "failures",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="failed sign-ins since the last one that succeeded",
        ),
        sa.Column(
            "locked_until",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="no password is accepted before",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "role IN ('analyst', 'senior', 'admin')", name=op.f("ck_users_role_known")
        ),
        sa.CheckConstraint("char_length(name) BETWEEN 1 AND 64", name=op.f("ck_users_name_length")),
        sa.CheckConstraint("email = lower(email)", name=op.f("ck_users_email_lower_case")),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_users_tenant_id_tenants")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_users")),
        sa.UniqueConstraint("tenant_id", "email", name=op.f("uq_users_tenant_id_email")),
        sa.UniqueConstraint("tenant_id", "name", name=op.f("uq_users_tenant_id_name")),
    )
    op.create_table(
        "user_sessions",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "digest",
            sa.LargeBinary(),
            nullable=False,
            comment="SHA-256 of the cookie's token",
        ),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "last_seen_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["users.tenant_id", "users.id"],
            name=op.f("fk_user_sessions_tenant_id_user_id_users"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "digest", name=op.f("pk_user_sessions")),
    )
    op.create_table(
        "sign_in_links",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "digest", sa.LargeBinary(), nullable=False, comment="SHA-256 of the link's token"
        ),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "purpose IN ('password', 'sign_in')", name=op.f("ck_sign_in_links_purpose_known")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["users.tenant_id", "users.id"],
            name=op.f("fk_sign_in_links_tenant_id_user_id_users"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "digest", name=op.f("pk_sign_in_links")),
    )
    op.create_table(
        "review_assignments",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("transaction_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column(
            "until",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="end of a claim by looking at it; null: assigned",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["users.tenant_id", "users.id"],
            name=op.f("fk_review_assignments_tenant_id_user_id_users"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "transaction_id", name=op.f("pk_review_assignments")),
    )
    op.create_index(
        "ix_review_assignments_user",
        "review_assignments",
        ["tenant_id", "user_id"],
        unique=False,
    )
    op.execute(_audit_change(", 'password_hash', 'failures', 'last_seen_at'"))
    op.execute(
        _audit_object(
            "WHEN noun = 'user' THEN 'users/' || (item->>'id')"
            " WHEN noun IN ('session', 'link') THEN 'users/' || (item->>'user_id')"
            " WHEN noun = 'assignment' THEN 'transactions/' || (item->>'transaction_id')"
        )
    )
    for table, rights in GRANTS.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY of_tenant ON {table} USING ({OF_THIS_TRANSACTION})")
        op.execute(f"GRANT {rights} ON {table} TO {SERVICE}")
    for trigger in AUDITS:
        op.execute(f"CREATE TRIGGER audit {trigger}")
    op.execute(AUDIT_OF_ENDED_SESSIONS)
    op.execute(AUDIT_OF_ASSIGNMENTS)


def downgrade() -> None:
    for table in reversed(GRANTS):
        op.drop_table(table)
    op.execute(_audit_change(""))
    op.execute(_audit_object(""))
    op.drop_column("tenants", "time_zone")
    op.drop_column("tenants", "currency")

"""Add uploads: files of events, what was decided of their rows, and which process decides them.

New tables only; the release before does not read them. What a faulty handler could do with the
service's rights: remove the parts of a file and store others in their place, which loses no
decision that was made. It cannot change what was decided of a row. A change of an upload's status is audited; the chunks are not, since
each decision is stored by itself.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

SERVICE = "sentinel_service"
OF_THIS_TRANSACTION = """tenant_id = ANY ((SELECT string_to_array(
    nullif(current_setting('sentinel.tenant_ids', true), ''), ','))::bigint[])"""

GRANTS = {
    "uploads": "SELECT, INSERT, UPDATE (status, mapping, time_zone, started_by, started_at,"
    " ended_at, reason, counts, removed_at)",
    "upload_parts": "SELECT, INSERT, DELETE",
    "upload_chunks": "SELECT, INSERT",
    "upload_leases": "SELECT, INSERT, UPDATE (holder, until)",
}
"""Rights of the service by table."""


def _audit_object(uploads: str) -> str:
    """Return the function of revision 0025 with a further noun."""
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
            WHEN noun IN ('session', 'link', 'search') THEN 'users/' || (item->>'user_id')
            WHEN noun = 'assignment' THEN 'transactions/' || (item->>'transaction_id')
            WHEN noun = 'case' THEN 'cases/' || (item->>'number')
            WHEN noun IN ('case_event', 'case_entity', 'case_note')
                THEN 'cases/' || (item->>'case_number')
            {uploads}
            ELSE 'models/' || (item->>'name') || '/' || (item->>'version') END
    """


def upgrade() -> None:
    _create_tables()
    op.execute(_audit_object("WHEN noun = 'upload' THEN 'uploads/' || (item->>'number')"))
    for table, rights in GRANTS.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY of_tenant ON {table} USING ({OF_THIS_TRANSACTION})")
        op.execute(f"GRANT {rights} ON {table} TO {SERVICE}")
    op.execute(
        "CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON uploads"
        " FOR EACH ROW EXECUTE FUNCTION audit_change('upload')"
    )


def downgrade() -> None:
    for table in reversed(GRANTS):
        op.drop_table(table)
    op.execute(_audit_object(""))


def _key() -> list[sa.Column[int]]:
    return [
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
    ]


def _number(name: str, comment: str | None = None) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False, comment=comment)


def _text(name: str, comment: str | None = None, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable, comment=comment)


def _content(name: str, comment: str | None = None) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(), nullable=False, comment=comment)


def _of_upload(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant_id", "number"],
        ["uploads.tenant_id", "uploads.number"],
        name=op.f(f"fk_{table}_tenant_id_number_uploads"),
    )


def _create_tables() -> None:
    at = sa.DateTime(timezone=True)
    now = sa.text("now()")
    op.create_table(
        "uploads",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        _number("number", "1, 2, 3 ... in the tenant"),
        sa.Column("status", sa.Text(), server_default=sa.text("'new'"), nullable=False),
        _text("file_name"),
        _number("size", "bytes"),
        _text("sha256", "of the file, hexadecimal"),
        _number("rows", "of the file, without its header"),
        _text("separator"),
        sa.Column("has_bom", sa.Boolean(), nullable=False),
        sa.Column(
            "columns",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment="of the file, in their order",
        ),
        sa.Column("mapping", postgresql.JSONB(), nullable=True, comment="column by field"),
        _text("time_zone", "of times without one; null: refused", nullable=True),
        _text("created_by", "name of the person"),
        sa.Column("created_at", at, server_default=now, nullable=False),
        _text("started_by", "name of the person", nullable=True),
        sa.Column("started_at", at, nullable=True),
        sa.Column("ended_at", at, nullable=True),
        _text("reason", "why it failed", nullable=True),
        sa.Column(
            "counts", postgresql.JSONB(), nullable=True, comment="of its rows, since it ended"
        ),
        sa.Column("removed_at", at, nullable=True, comment="when its files were removed"),
        sa.CheckConstraint(
            "status IN ('new', 'started', 'done', 'failed', 'stopped', 'discarded')",
            name=op.f("ck_uploads_status_known"),
        ),
        sa.CheckConstraint(
            "(status = 'new') = (started_at IS NULL AND ended_at IS NULL)",
            name=op.f("ck_uploads_new"),
        ),
        sa.CheckConstraint("size BETWEEN 1 AND 20000000", name=op.f("ck_uploads_size")),
        sa.CheckConstraint("rows >= 1", name=op.f("ck_uploads_rows")),
        sa.CheckConstraint(
            "(status IN ('new', 'started')) = (ended_at IS NULL)", name=op.f("ck_uploads_ended")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_uploads_tenant_id_tenants")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "number", name=op.f("pk_uploads")),
    )
    op.create_index(
        "ix_uploads_open",
        "uploads",
        ["tenant_id"],
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index("ix_uploads_sha256", "uploads", ["tenant_id", "sha256"])
    op.create_table(
        "upload_parts",
        *_key(),
        _number("part", "0, 1, 2 ..."),
        _content("content"),
        _of_upload("upload_parts"),
        sa.PrimaryKeyConstraint("tenant_id", "number", "part", name=op.f("pk_upload_parts")),
    )
    op.create_table(
        "upload_chunks",
        *_key(),
        _number("first_row", "counted from 1"),
        _number("rows"),
        _number("rejected"),
        _number("repeated", "decided earlier by their external_id"),
        _number("reviewed"),
        _number("declined"),
        _content("results", "lines of CSV"),
        _content("rejects", "lines of CSV"),
        sa.Column(
            "faults",
            postgresql.JSONB(),
            nullable=False,
            comment="row, line and [column, field, reason] of each rejected row",
        ),
        _of_upload("upload_chunks"),
        sa.PrimaryKeyConstraint("tenant_id", "number", "first_row", name=op.f("pk_upload_chunks")),
    )
    op.create_index(
        "ix_upload_chunks_rejected",
        "upload_chunks",
        ["tenant_id", "number", "first_row"],
        postgresql_where=sa.text("rejected > 0"),
    )
    op.create_table(
        "upload_leases",
        *_key(),
        sa.Column(
            "holder", sa.Uuid(), nullable=True, comment="of a process; null: nobody had it yet"
        ),
        sa.Column("until", at, server_default=now, nullable=False),
        _of_upload("upload_leases"),
        sa.PrimaryKeyConstraint("tenant_id", "number", name=op.f("pk_upload_leases")),
    )

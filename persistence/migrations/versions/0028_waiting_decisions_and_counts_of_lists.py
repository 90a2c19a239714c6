"""Index the decisions that wait, in the order of time, and keep the number of entries of each list.

The index has the reviews and declines that nobody has settled: few of the payments, so that it
costs the others one comparison. It is created on the partitioned table alone;
`persistence/maintenance/indexes.py` builds those of the partitions. Triggers keep the numbers,
whichever release changes the entries.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

SERVICE = "sentinel_service"
OF_THIS_TRANSACTION = """tenant_id = ANY ((SELECT string_to_array(
    nullif(current_setting('sentinel.tenant_ids', true), ''), ','))::bigint[])"""

# Changes of a tenant's lists wait for one another, so a statement adds to what it sees.
COUNT = """
CREATE FUNCTION count_list_entries() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO list_counts AS kept (tenant_id, list_id, entries)
    SELECT tenant_id, list_id, CASE TG_OP WHEN 'INSERT' THEN count(*) ELSE -count(*) END
    FROM touched
    WHERE CASE TG_OP WHEN 'UPDATE' THEN removed_change IS NOT NULL ELSE removed_change IS NULL END
    GROUP BY tenant_id, list_id
    ON CONFLICT (tenant_id, list_id) DO UPDATE SET entries = kept.entries + excluded.entries;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION count_list_entries() FROM PUBLIC;
CREATE TRIGGER count_insert AFTER INSERT ON list_entries REFERENCING NEW TABLE AS touched
    FOR EACH STATEMENT EXECUTE FUNCTION count_list_entries();
CREATE TRIGGER count_update AFTER UPDATE ON list_entries REFERENCING NEW TABLE AS touched
    FOR EACH STATEMENT EXECUTE FUNCTION count_list_entries();
CREATE TRIGGER count_delete AFTER DELETE ON list_entries REFERENCING OLD TABLE AS touched
    FOR EACH STATEMENT EXECUTE FUNCTION count_list_entries();
"""
ALL_TENANTS = """SELECT set_config('sentinel.tenant_ids',
    (SELECT coalesce(string_agg(id::text, ','), '') FROM tenants), true)"""


def upgrade() -> None:
    op.execute(
        "CREATE INDEX ix_predictions_waiting ON ONLY predictions"
        " (tenant_id, decision, risk_band, id) WHERE NOT reviewed AND decision <> 'approve'"
    )
    op.create_table(
        "list_counts",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("list_id", sa.Integer(), nullable=False),
        sa.Column(
            "entries",
            sa.BigInteger(),
            nullable=False,
            comment="entries in force, expired ones among them",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_list_counts_tenant_id_tenants")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "list_id", name=op.f("pk_list_counts")),
    )
    op.execute("ALTER TABLE list_counts ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE list_counts FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY of_tenant ON list_counts USING ({OF_THIS_TRANSACTION})")
    op.execute(f"GRANT SELECT ON list_counts TO {SERVICE}")
    # Creating the triggers keeps entries from being changed until the migration ends.
    op.execute(COUNT)
    op.execute(ALL_TENANTS)
    op.execute(
        "INSERT INTO list_counts (tenant_id, list_id, entries)"
        " SELECT tenant_id, list_id, count(*) FROM list_entries"
        " WHERE removed_change IS NULL GROUP BY tenant_id, list_id"
    )


def downgrade() -> None:
    for event in ("insert", "update", "delete"):
        op.execute(f"DROP TRIGGER count_{event} ON list_entries")
    op.execute("DROP FUNCTION count_list_entries()")
    op.drop_table("list_counts")
    op.execute("DROP INDEX ix_predictions_waiting")

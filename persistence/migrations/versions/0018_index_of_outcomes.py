"""Index decisions by outcome, and those in which rules fired, without holding up payments.

An outcome no longer follows from the band, because rules decide too. The indexes are created on the
partitioned table alone; `persistence/maintenance/indexes.py` builds those of the partitions, and
then drops the index that they replace.
"""

from __future__ import annotations

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

INDEXES = {
    "decision": "(tenant_id, reviewed, decision, risk_band, score DESC, id DESC)",
    "fired": "(tenant_id, id) WHERE ruling ?| ARRAY['fired', 'shadow', 'entries']",
}
WORKLIST = "(tenant_id, reviewed, risk_band, score DESC, id DESC)"


def upgrade() -> None:
    for index, definition in INDEXES.items():
        op.execute(f"CREATE INDEX ix_predictions_{index} ON ONLY predictions {definition}")


def downgrade() -> None:
    op.execute(f"CREATE INDEX IF NOT EXISTS ix_predictions_worklist ON predictions {WORKLIST}")
    for index in INDEXES:
        op.execute(f"DROP INDEX ix_predictions_{index}")

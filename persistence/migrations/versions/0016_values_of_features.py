"""Add the features and contributions of a decision as arrays, in the order of its version.

Decisions of a tenant's own event type use them from now on; `features` and `contributions` are then
empty documents. PaySim's keep their documents. The release before reads such a decision without
features, and goes on to write documents, which every release reads.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

COLUMNS = {
    "feature_values": "features in the order of the version; null: in features",
    "contribution_values": "log-odds in the order of the version; null: in contributions",
}
COMMENTS = {
    "features": ("feature name to value", "feature name to value; empty: in feature_values"),
    "contributions": (
        "feature name to log-odds",
        "feature name to log-odds; empty: in contribution_values",
    ),
}


def upgrade() -> None:
    for name, comment in COLUMNS.items():
        op.add_column(
            "predictions",
            sa.Column(name, postgresql.ARRAY(sa.Double()), nullable=True, comment=comment),
        )
        # Floats hardly compress; a row of up to 8 kB keeps them.
        op.execute(f"ALTER TABLE predictions ALTER {name} SET STORAGE MAIN")
    for name, (before, after) in COMMENTS.items():
        op.alter_column("predictions", name, comment=after, existing_comment=before)


def downgrade() -> None:
    for name, (before, after) in COMMENTS.items():
        op.alter_column("predictions", name, comment=before, existing_comment=after)
    for name in reversed(COLUMNS):
        op.drop_column("predictions", name)

"""Add the probability of a randomised approval to decisions, and its bounds to policies.

The column is empty in every decision before, so nothing is rewritten. It has no CHECK, which would
read every stored decision while payments wait; its value is that of a policy, which has one.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

CONSTRAINT = "ck_policies_explore_in_range"
COMMENT = "cost model, threshold, bands, explore; null: each version's own again"
COMMENT_BEFORE = "cost model, threshold, bands; null: each version's own again"


def upgrade() -> None:
    op.add_column(
        "predictions",
        sa.Column(
            "approval_probability",
            sa.Double(),
            nullable=True,
            comment="of a would-be review by chance; null: chance had no part",
        ),
    )
    op.create_check_constraint(
        op.f(CONSTRAINT),
        "policies",
        "policy->'explore' IS NULL OR coalesce("
        "(policy->'explore'->>'share')::float8 > 0"
        " AND (policy->'explore'->>'share')::float8 <= 0.1"
        " AND (policy->'explore'->>'max_amount')::float8 > 0, false)",
    )
    op.alter_column("policies", "policy", comment=COMMENT, existing_comment=COMMENT_BEFORE)


def downgrade() -> None:
    op.alter_column("policies", "policy", comment=COMMENT_BEFORE, existing_comment=COMMENT)
    op.drop_constraint(op.f(CONSTRAINT), "policies")
    op.drop_column("predictions", "approval_probability")

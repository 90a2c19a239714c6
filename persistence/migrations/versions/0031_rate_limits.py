"""Add the limits of payments a second that a tenant may have, for all of it and for each key.

The new columns are null, so no row is rewritten. The release before neither reads nor writes them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

_COLUMNS = {
    "payments_per_second": "most payments a second and process; null: no limit",
    "key_payments_per_second": "the same of each API key; null: no limit",
}


def upgrade() -> None:
    for name, comment in _COLUMNS.items():
        op.add_column("tenants", sa.Column(name, sa.Integer(), nullable=True, comment=comment))
        constraint = op.f(f"ck_tenants_{name}_positive")
        op.create_check_constraint(constraint, "tenants", f"{name} > 0")


def downgrade() -> None:
    for name in _COLUMNS:
        op.drop_column("tenants", name)

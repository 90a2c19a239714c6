"""Add the features of a model version, so that its decisions are read by their own names.

Every version that served before has the features below, and so has every version that a process of
the release before records during a rolling update. The default states them for both.
"""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_NO_OR_YES = ["no", "yes"]
_FEATURES = [
    ("type", "transaction type", ["PAYMENT", "CASH_IN", "DEBIT", "CASH_OUT", "TRANSFER"]),
    ("amount", "amount moved", None),
    ("oldbalance_org", "payer's balance before", None),
    ("oldbalance_dest", "receiver's balance before", None),
    ("balance_left", "payer's balance minus the amount", None),
    ("amount_share", "amount as a share of the payer's balance", None),
    ("empties_account", "whether the amount is the payer's whole balance", _NO_OR_YES),
    ("dest_amount_share", "amount as a share of the receiver's balance", None),
    ("dest_is_empty", "whether the receiver held nothing before", _NO_OR_YES),
    ("dest_is_merchant", "whether the receiver is a merchant", _NO_OR_YES),
    ("hour_of_day", "hour of the day, 0 to 23", [f"{hour:02d}:00" for hour in range(24)]),
]


def upgrade() -> None:
    document = json.dumps(
        [
            {"name": name, "description": description, "words": words}
            for name, description, words in _FEATURES
        ]
    )
    quoted = document.replace("'", "''")
    op.add_column(
        "model_versions",
        sa.Column(
            "features",
            postgresql.JSONB(),
            nullable=False,
            # bindparam-like colons in the text are data, so no sa.text
            server_default=sa.literal_column(f"'{quoted}'"),
            comment="event type and feature set; of PaySim's a list of names, descriptions and "
            "words",
        ),
    )


def downgrade() -> None:
    op.drop_column("model_versions", "features")

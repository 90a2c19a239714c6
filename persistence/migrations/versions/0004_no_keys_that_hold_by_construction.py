"""Drop the foreign keys of the hot path that hold by construction; docs/decisions/0009.

One INSERT writes a batch's idempotency keys, transactions and predictions from the same rows, and
the service may neither change nor delete them, so none exists without the others. Predictions still
refer to policies and to model versions, and a model version's tenant exists.
"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

KEYS = {
    "fk_idempotency_keys_tenant_id_prediction_id_predictions": (
        "idempotency_keys",
        "predictions",
        ["tenant_id", "prediction_id"],
        ["tenant_id", "id"],
    ),
    "fk_idempotency_keys_tenant_id_tenants": ("idempotency_keys", "tenants", ["tenant_id"], ["id"]),
    "fk_transactions_tenant_id_tenants": ("transactions", "tenants", ["tenant_id"], ["id"]),
    "fk_predictions_tenant_id_transaction_id_transactions": (
        "predictions",
        "transactions",
        ["tenant_id", "transaction_id"],
        ["tenant_id", "id"],
    ),
}


def upgrade() -> None:
    _lock()
    for name, (table, *_) in KEYS.items():
        op.drop_constraint(op.f(name), table, type_="foreignkey")


def downgrade() -> None:
    _lock()
    for name, (table, referred, columns, referred_columns) in KEYS.items():
        # The next maintenance validates them, under a lock that does not stop scoring.
        op.create_foreign_key(
            op.f(name), table, referred, columns, referred_columns, postgresql_not_valid=True
        )


def _lock() -> None:
    # In the order in which the batch writer locks them, so that no deadlock arises. Only the
    # catalogue changes.
    op.execute(
        "LOCK TABLE idempotency_keys, transactions, predictions, tenants IN ACCESS EXCLUSIVE MODE"
    )

"""Drop the foreign keys of the hot path that its one statement keeps; docs/decisions/0009.

A batch's claims, transactions and predictions come from the same rows of the same INSERT, and the
service may neither change nor delete them: none can be without the others. The tenant exists since
its model version does, which predictions still refer to, as they do to policies.
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
        # Validated by the next maintenance, under a lock that lets scoring go on.
        op.create_foreign_key(
            op.f(name), table, referred, columns, referred_columns, postgresql_not_valid=True
        )


def _lock() -> None:
    # In the order in which the batch writer locks them, so that neither waits for the other. Only
    # the catalogue changes.
    op.execute(
        "LOCK TABLE idempotency_keys, transactions, predictions, tenants IN ACCESS EXCLUSIVE MODE"
    )

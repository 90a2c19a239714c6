"""A proof that a decision is in a sealed log, for somebody who has no access to the database."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Engine, text

from persistence.sealing.errors import SealError
from persistence.sealing.source import PRINTING
from persistence.sealing.sources import BY_FORM
from persistence.sealing.stored_tree import StoredLeaf, StoredTree, find_leaf
from persistence.tenancy import tenant_transaction
from persistence.tenants import Tenant, list_tenants
from scoring.sealing.leaf import commit_row, field_salt
from scoring.sealing.tree import inclusion_path

FORMAT = "sentinel-proof/1"


def prove(engine: Engine, prediction_id: UUID) -> dict[str, object]:
    """Return the proof that a decision is in the newest head of its tenant, as a document.

    Args:
        engine: pool whose role may read the tables.
        prediction_id: decision that is proved.

    Raises:
        SealError: no head covers the decision, its row is gone, or it is not as it was sealed.
        StoreUnavailable: Postgres is unreachable, the connection broke, or the schema is missing.
    """
    tenants = list_tenants(engine)
    for tenant in tenants:
        with tenant_transaction(engine, tenant.id) as connection:
            leaf = find_leaf(connection, tenant.id, "decision", str(prediction_id))
        if leaf is not None:
            return _proof(engine, tenant, leaf)
    raise SealError(
        f"No log has the decision {prediction_id}: it is not stored, or was not sealed yet"
        " (`sentinel seal run`)."
    )


def _proof(engine: Engine, tenant: Tenant, leaf: StoredLeaf) -> dict[str, object]:
    source = BY_FORM[leaf.kind, leaf.form]
    with tenant_transaction(engine, tenant.id) as connection:
        connection.execute(PRINTING)
        content = source.read(connection, tenant.id, [leaf.key]).get(leaf.key)
        head = connection.execute(
            text(
                "SELECT size, note FROM seal_heads WHERE tenant_id = :tenant_id"
                " AND size > :position ORDER BY size DESC LIMIT 1"
            ),
            {"tenant_id": tenant.id, "position": leaf.position},
        ).one_or_none()
        if head is None:
            raise SealError(
                f"No head covers the decision {leaf.key} yet; one is signed every minute while"
                " `sentinel seal run` runs."
            )
        if content is None or leaf.salt is None:
            raise SealError(f"The decision {leaf.key} is sealed, and its row is gone.")
        fields = source.fields(content)
        if commit_row(leaf.salt, fields) != leaf.commitment:
            raise SealError(f"The decision {leaf.key} is not as it was sealed: `sentinel verify`.")
        tree = StoredTree(connection, tenant.id, tenant.slug)
        path = inclusion_path(leaf.position, head.size, tree.subtree)
    return {
        "format": FORMAT,
        "head": head.note,
        "leaf": leaf.leaf(tenant.slug).data().decode(),
        "position": leaf.position,
        "path": [sibling.hex() for sibling in path],
        "fields": {
            name: {"salt": field_salt(leaf.salt, name).hex(), "value": value}
            for name, value in sorted(fields.items())
        },
    }

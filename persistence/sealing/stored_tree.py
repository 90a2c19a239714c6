"""A tenant's tree in Postgres: leaves, and the complete subtrees of 2^8, 2^16, 2^24 ... leaves.

What is between these heights is computed from at most 256 hashes a height, as the tiles of static
transparency logs are. Both tables only grow.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, Row, text

from persistence.sealing.errors import SealError
from scoring.sealing.leaf import SALT_BYTES, Leaf
from scoring.sealing.tree import Frontier, hash_leaf, peaks

STEP = 8
"""Heights between two that are stored."""

_SIZE = text("SELECT coalesce(max(position) + 1, 0) FROM seal_leaves WHERE tenant_id = :tenant_id")
_LEAVES = text(
    "SELECT position, kind, form, key, commitment, salt FROM seal_leaves"
    " WHERE tenant_id = :tenant_id AND position >= :start AND position < :end ORDER BY position"
)
_NODES = text(
    "SELECT hash FROM seal_nodes WHERE tenant_id = :tenant_id AND height = :height"
    " AND index >= :start AND index < :end ORDER BY index"
)
_APPEND_LEAVES = text(
    """
    INSERT INTO seal_leaves (tenant_id, position, kind, form, key, commitment, salt)
    SELECT :tenant_id, :first + i - 1, :kind, :form, key,
        substr(CAST(:commitments AS bytea), ((i - 1) * 32 + 1)::int, 32),
        substr(CAST(:salts AS bytea), ((i - 1) * 32 + 1)::int, 32)
    FROM unnest(CAST(:keys AS text[])) WITH ORDINALITY AS leaf (key, i)
    """
)
_APPEND_NODE = text("INSERT INTO seal_nodes VALUES (:tenant_id, :height, :index, :hash)")


class StoredLeaf(NamedTuple):
    """A row of `seal_leaves`, whose salt is null once its row has expired."""

    position: int
    kind: str
    form: int
    key: str
    commitment: bytes
    salt: bytes | None

    def leaf(self, slug: str) -> Leaf:
        """Return the leaf in a tenant's tree."""
        return Leaf(slug, self.kind, self.form, self.key, self.commitment)


def size_of(connection: Connection, tenant_id: int) -> int:
    """Return the number of leaves of a tenant's tree."""
    return int(connection.execute(_SIZE, {"tenant_id": tenant_id}).scalar_one())


def read_leaves(connection: Connection, tenant_id: int, start: int, end: int) -> list[StoredLeaf]:
    """Return the leaves whose positions are from `start` to before `end`."""
    place = {"tenant_id": tenant_id, "start": start, "end": end}
    return [_stored(row) for row in connection.execute(_LEAVES, place)]


def find_leaf(connection: Connection, tenant_id: int, kind: str, key: str) -> StoredLeaf | None:
    """Return the leaf of a row, or None."""
    found = connection.execute(
        text(
            "SELECT position, kind, form, key, commitment, salt FROM seal_leaves"
            " WHERE tenant_id = :tenant_id AND kind = :kind AND key = :key"
        ),
        {"tenant_id": tenant_id, "kind": kind, "key": key},
    ).one_or_none()
    return None if found is None else _stored(found)


def new_salts(count: int) -> list[bytes]:
    """Return random salts of rows."""
    drawn = os.urandom(count * SALT_BYTES)
    return [drawn[i : i + SALT_BYTES] for i in range(0, len(drawn), SALT_BYTES)]


class StoredTree:
    """Hashes of a tenant's tree as Postgres has them.

    Args:
        connection: connection of a transaction that sees the tenant's rows.
        tenant_id: tenant whose tree it is.
        slug: slug of the tenant.
    """

    def __init__(self, connection: Connection, tenant_id: int, slug: str) -> None:
        self._connection = connection
        self._tenant_id = tenant_id
        self._slug = slug

    def subtree(self, height: int, index: int) -> bytes:
        """Return the hash of the complete subtree of `1 << height` leaves.

        Raises:
            SealError: leaves or nodes are missing.
        """
        stored = height // STEP * STEP
        width = 1 << height - stored
        start = index << height - stored
        if stored:
            place = {"tenant_id": self._tenant_id, "height": stored}
            found = self._connection.execute(
                _NODES, {**place, "start": start, "end": start + width}
            )
            hashes = list(found.scalars())
        else:
            leaves = read_leaves(self._connection, self._tenant_id, start, start + width)
            hashes = [hash_leaf(stored_leaf.leaf(self._slug).data()) for stored_leaf in leaves]
        if len(hashes) != width:
            raise SealError(
                f"The tree of the tenant {self._slug!r} has gaps at leaf {index << height};"
                " `sentinel verify` names what is missing."
            )
        frontier = Frontier()
        for one in hashes:
            frontier.append(one)
        return frontier.root()

    def frontier(self) -> Frontier:
        """Return the right edge of the tree."""
        size = size_of(self._connection, self._tenant_id)
        return Frontier([self.subtree(*peak) for peak in peaks(size)], size)


def append_leaves(
    connection: Connection,
    tenant_id: int,
    frontier: Frontier,
    leaves: Sequence[Leaf],
    salts: Sequence[bytes],
) -> None:
    """Append leaves of one kind and form to a tree; the transaction has to commit.

    Args:
        connection: connection of a transaction of the tables' owner on the tenant's rows.
        tenant_id: tenant whose tree it is.
        frontier: right edge of the tree, which is moved.
        leaves: leaves in their order.
        salts: salt of each row.
    """
    connection.execute(
        _APPEND_LEAVES,
        {
            "tenant_id": tenant_id,
            "first": frontier.size,
            "kind": leaves[0].kind,
            "form": leaves[0].form,
            "keys": [leaf.key for leaf in leaves],
            "commitments": b"".join(leaf.commitment for leaf in leaves),
            "salts": b"".join(salts),
        },
    )
    nodes = [
        {"tenant_id": tenant_id, "height": height, "index": index, "hash": node}
        for leaf in leaves
        for height, index, node in frontier.append(hash_leaf(leaf.data()))
        if height % STEP == 0
    ]
    if nodes:
        connection.execute(_APPEND_NODE, nodes)


def _stored(row: Row[tuple[int, str, int, str, bytes, bytes | None]]) -> StoredLeaf:
    position, kind, form, key, commitment, salt = row
    return StoredLeaf(
        position, kind, form, key, bytes(commitment), None if salt is None else bytes(salt)
    )

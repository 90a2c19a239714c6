"""Sign heads of the trees, and export them, after a comparison with the ones before."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, text

from persistence.sealing.errors import SealError
from persistence.sealing.head_files import HeadFiles
from persistence.sealing.notes import Head, Signer, Verifier
from persistence.sealing.stored_tree import StoredTree, size_of
from persistence.tenancy import tenant_transaction
from persistence.tenants import Tenant
from scoring.sealing.tree import Frontier, root_of

HEAD_S = 60.0
"""Seconds between two heads of a tenant, at least."""

_ADVICE = "Nothing more of it is signed; run `sentinel verify`, and see docs/sealed-log.md."
_NEWEST_HEAD = text("SELECT coalesce(max(size), 0) FROM seal_heads WHERE tenant_id = :tenant_id")
_RECORD_HEAD = text(
    "INSERT INTO seal_heads VALUES (:tenant_id, :size, :note, :at) ON CONFLICT DO NOTHING"
)


class HeadExporter:
    """Exports the heads of all tenants.

    Args:
        engine: pool whose role owns the tables.
        signer: key that signs the heads.
        files: folder of the exported heads.
    """

    def __init__(self, engine: Engine, signer: Signer, files: HeadFiles) -> None:
        self._engine = engine
        self._signer = signer
        self._files = files
        self._begun = time.monotonic()
        self._head_at: dict[int, float] = {}
        self._exported: dict[int, int] = {}

    def export(
        self,
        tenant: Tenant,
        frontier: Frontier | None,
        complete_at: datetime | None,
        now: datetime | None,
        *,
        is_due: bool,
    ) -> None:
        """Sign and export a tenant's head where it has grown, and the last one is old enough.

        Args:
            tenant: tenant whose tree it is.
            frontier: right edge of the tree as far as the caller knows.
            complete_at: begin of the last complete pass over all rows; None: what the last head
                states.
            now: time of the head; None: the present.
            is_due: whether the last head may be of any age.

        Raises:
            SealError: the tree is shorter than the last exported head, or differs from it.
        """
        last_at = self._head_at.get(tenant.id, self._begun)
        if not is_due and time.monotonic() - last_at < HEAD_S:
            return
        with tenant_transaction(self._engine, tenant.id) as connection:
            tree = StoredTree(connection, tenant.id, tenant.slug)
            size = size_of(connection, tenant.id)
            exported = connection.execute(_NEWEST_HEAD, {"tenant_id": tenant.id}).scalar_one()
            # The folder is listed where another process, or a killed one, exported the last head.
            if self._exported.get(tenant.id) != exported:
                exported = self._files.newest(tenant.slug)
                self._record(connection, tenant, exported)
            last = self._check(tenant, exported, size, tree) if exported else None
            if frontier is None or frontier.size != size:
                frontier = tree.frontier()
        if exported < size:
            at = now or datetime.now(UTC)
            # What the last head stated stays true after a restart.
            stated = None if last is None else last.complete_at
            complete_at = complete_at or stated
            origin = self._signer.origin(tenant.slug)
            head = Head(origin, size, frontier.root(), at, complete_at)
            self._files.write(tenant.slug, size, self._signer.sign(head))
            with tenant_transaction(self._engine, tenant.id) as connection:
                self._record(connection, tenant, size)
        self._exported[tenant.id] = size
        self._head_at[tenant.id] = time.monotonic()

    def _check(self, tenant: Tenant, head_size: int, size: int, tree: StoredTree) -> Head:
        """Return the head of a size, which the tree has to continue."""
        path = self._files.path(tenant.slug, head_size)
        if size < head_size:
            raise SealError(
                f"The sealed log of {tenant.slug!r} has {size} leaves, and the head {path} has"
                f" {head_size}: its end is missing. {_ADVICE}"
            )
        head = self._opened(tenant, head_size, self._files.read(tenant.slug, head_size))
        if root_of(head_size, tree.subtree) != head.root:
            raise SealError(
                f"The sealed log of {tenant.slug!r} differs from the head {path}. {_ADVICE}"
            )
        return head

    def _record(self, connection: Connection, tenant: Tenant, size: int) -> None:
        """Keep the exported head of a size in Postgres, for proofs; nothing where there is none."""
        if not size:
            return
        note = self._files.read(tenant.slug, size)
        head = self._opened(tenant, size, note)
        connection.execute(
            _RECORD_HEAD, {"tenant_id": tenant.id, "size": size, "note": note, "at": head.at}
        )

    def _opened(self, tenant: Tenant, size: int, note: str) -> Head:
        try:
            return Verifier(self._signer.verifier).open(note)
        except SealError as error:
            path = self._files.path(tenant.slug, size)
            raise SealError(f"The head {path} cannot be used: {error}. {_ADVICE}") from error

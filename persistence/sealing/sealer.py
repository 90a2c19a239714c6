"""Seal new rows: read those without a leaf, append their leaves, sign and export heads.

A pass looks at the newest rows of each tenant and kind. A row that appears later than its
neighbours (a long transaction, a drained journal) is found by a full pass, which looks at all rows.
A page is one transaction, so a kill at any moment leaves a whole tree, which the next pass reads
again. Keys of leaves are unique, so no row is sealed twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Engine, text

from persistence.engine import transaction
from persistence.monitoring.job_runs import record_job
from persistence.sealing.errors import SealError, SealingStopped
from persistence.sealing.head_files import HeadFiles
from persistence.sealing.notes import Head, Signer, Verifier
from persistence.sealing.place import Place
from persistence.sealing.source import PRINTING, Source
from persistence.sealing.sources import SOURCES
from persistence.sealing.stored_tree import (
    StoredTree,
    append_leaves,
    new_salts,
    size_of,
)
from persistence.tenancy import tenant_transaction
from persistence.tenants import Tenant, list_tenants
from persistence.uuid7 import first_id_at
from scoring.sealing.leaf import Leaf, commit_row
from scoring.sealing.tree import Frontier, root_of

PAGE_ROWS = 1000
HEAD_S = 60.0
"""Seconds between two heads of a tenant, at least."""
FULL_S = 3600.0
"""Seconds between two passes over all rows."""
RETRY_S = 300.0
"""Seconds after which a tenant is tried again whose log cannot be continued."""

_RUN_LOCK = (0x53E47, 2)  # beside that of maintenance
_SKEW = timedelta(minutes=1)

_ADVICE = "Nothing more of it is signed; run `sentinel verify`, and see docs/sealed-log.md."
_NEWEST_HEAD = text("SELECT coalesce(max(size), 0) FROM seal_heads WHERE tenant_id = :tenant_id")
_RECORD_HEAD = text(
    "INSERT INTO seal_heads VALUES (:tenant_id, :size, :note, :at) ON CONFLICT DO NOTHING"
)

Pause = Callable[[float], object]
"""`pause(seconds)` waits, and returns something true where the process has to end."""


class Sealer:
    """Seals the rows of all tenants.

    Args:
        engine: pool of two connections whose role owns the tables.
        signer: key that signs the heads.
        files: folder of the exported heads.
        pause: function that waits for a number of seconds, after each page as long as it took.
    """

    def __init__(
        self, engine: Engine, signer: Signer, files: HeadFiles, pause: Pause = time.sleep
    ) -> None:
        self._engine = engine
        self._signer = signer
        self._files = files
        self._pause = pause
        self._places: dict[tuple[int, str], Place] = {}
        self._frontiers: dict[int, Frontier] = {}
        self._begun = time.monotonic()
        self._head_at: dict[int, float] = {}
        self._exported: dict[int, int] = {}
        self._complete_at: dict[int, datetime] = {}
        self._faults: dict[int, tuple[SealError, float]] = {}

    def run(self, *, full: bool, now: datetime | None = None) -> int | None:
        """Seal what is new, and export heads; return the number of rows.

        Args:
            full: whether all rows are looked at, and heads are exported that are not due yet.
            now: time of the heads; None: the present.

        Returns:
            Number of rows that were sealed; None: another process is sealing.

        Raises:
            SealError: a tree is shorter than an exported head, or differs from it. The pass over
                the other tenants is complete; this one is tried again after `RETRY_S`.
            SealingStopped: `pause` returned something true.
            StoreUnavailable: Postgres is unreachable, the connection broke, or the schema is
                missing.
        """
        with _run_lock(self._engine) as is_mine:
            if not is_mine:
                return None
            begun = datetime.now(UTC)
            faults = {
                tenant_id: error
                for tenant_id, (error, retry_at) in self._faults.items()
                if time.monotonic() < retry_at
            }
            tenants = [t for t in list_tenants(self._engine) if t.id not in faults]
            found: dict[int, SealError] = {}
            sealed = 0
            for source in SOURCES:
                sealed += self._seal_kind(source, tenants, found, full=full)
            if full:
                self._complete_at |= {t.id: begun for t in tenants if t.id not in found}
            for tenant in tenants:
                with _kept(found, tenant):
                    self._export(tenant, now, is_due=full)
            self._hold(tenants, found)
            if faults | found:
                raise SealError(" ".join(map(str, (faults | found).values())))
            record_job(self._engine, "sealing", at=begun)
            return sealed

    def _hold(self, tenants: list[Tenant], found: dict[int, SealError]) -> None:
        """Leave tenants with a fault out of the next passes, and begin with all of their rows."""
        retry_at = time.monotonic() + RETRY_S
        for tenant in tenants:
            self._faults.pop(tenant.id, None)
        for tenant_id, error in found.items():
            self._faults[tenant_id] = error, retry_at
            for source in SOURCES:
                self._places.pop((tenant_id, source.kind), None)

    def _seal_kind(
        self, source: Source, tenants: list[Tenant], faults: dict[int, SealError], *, full: bool
    ) -> int:
        """Seal the new rows of a kind; return how many."""
        ids = [tenant.id for tenant in tenants]
        seen_at = time.monotonic()
        cap = first_id_at(int((datetime.now(UTC) + _SKEW).timestamp() * 1000))
        with self._reading(*ids) as connection:
            newest = dict(source.newest(connection, ids, str(cap)))
        sealed = 0
        for tenant in tenants:
            place = self._places.setdefault((tenant.id, source.kind), Place())
            if not full and newest[tenant.id] in (None, place.settled):
                continue
            with _kept(faults, tenant):
                sealed += self._seal(tenant, source, None if full else place.settled)
                place.sealed(newest[tenant.id], seen_at, full=full)
        return sealed

    def _seal(self, tenant: Tenant, source: Source, after: list[str] | None) -> int:
        """Seal a tenant's rows of a kind that follow a place; return how many."""
        sealed = 0
        while True:
            begun = time.monotonic()
            with self._reading(tenant.id) as connection:
                page = source.page(connection, tenant.id, after, PAGE_ROWS)
            fresh = [(key, content) for _, key, content in page if content is not None]
            if fresh:
                self._append(tenant, source, fresh)
                sealed += len(fresh)
            if len(page) < PAGE_ROWS:
                return sealed
            after = page[-1][0]
            if self._pause(time.monotonic() - begun):
                raise SealingStopped

    def _append(
        self, tenant: Tenant, source: Source, rows: Sequence[tuple[str, list[str | None]]]
    ) -> None:
        salts = new_salts(len(rows))
        leaves = [
            Leaf(
                tenant.slug, source.kind, source.form, key, commit_row(salt, source.fields(content))
            )
            for (key, content), salt in zip(rows, salts, strict=True)
        ]
        frontier = self._frontiers.pop(tenant.id, None)
        with tenant_transaction(self._engine, tenant.id) as connection:
            # Another process may have sealed meanwhile.
            if frontier is None or frontier.size != size_of(connection, tenant.id):
                frontier = StoredTree(connection, tenant.id, tenant.slug).frontier()
            append_leaves(connection, tenant.id, frontier, leaves, salts)
        self._frontiers[tenant.id] = frontier
        self._export(tenant, None, is_due=False)

    def _export(self, tenant: Tenant, now: datetime | None, *, is_due: bool) -> None:
        """Sign and export a tenant's head where it has grown, and the last one is old enough.

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
            frontier = self._frontiers.get(tenant.id)
            if frontier is None or frontier.size != size:
                frontier = tree.frontier()
        if exported < size:
            at = now or datetime.now(UTC)
            # What the last head stated stays true after a restart.
            stated = None if last is None else last.complete_at
            complete_at = self._complete_at.get(tenant.id, stated)
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

    @contextmanager
    def _reading(self, *tenant_ids: int) -> Iterator[Connection]:
        with tenant_transaction(self._engine, *tenant_ids) as connection:
            connection.execute(PRINTING)
            yield connection


@contextmanager
def _kept(faults: dict[int, SealError], tenant: Tenant) -> Iterator[None]:
    """Keep the first fault of a tenant's tree; the other tenants' rows are sealed all the same."""
    try:
        yield
    except SealError as error:
        faults.setdefault(tenant.id, error)


@contextmanager
def _run_lock(engine: Engine) -> Iterator[bool]:
    """Hold the advisory lock of sealing in a transaction of its own; yield whether it was free.

    As for maintenance, the transaction has no snapshot and its statement no parameters.
    """
    with transaction(engine) as connection:
        lock = text(f"SELECT pg_try_advisory_xact_lock({_RUN_LOCK[0]}, {_RUN_LOCK[1]})")
        yield bool(connection.execute(lock).scalar_one())

"""Seal new rows: read those without a leaf, append their leaves, sign and export heads.

A pass looks at the newest rows of each tenant and kind. A row that appears later than its
neighbours (a long transaction, a drained journal) is found by a full pass, which looks at all rows,
and between its pages seals what is new.
A page is one transaction, so a kill at any moment leaves a whole tree, which the next pass reads
again. Keys of leaves are unique, so no row is sealed twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy import Connection, Engine

from persistence.monitoring.job_runs import record_job
from persistence.sealing.errors import SealError, SealingStopped
from persistence.sealing.head_exporter import HeadExporter
from persistence.sealing.head_files import HeadFiles
from persistence.sealing.notes import Signer
from persistence.sealing.place import Place
from persistence.sealing.run_lock import run_lock
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
from scoring.sealing.tree import Frontier

PAGE_ROWS = 1000
EVERY_S = 5.0
"""Seconds between two passes over new rows."""
FULL_S = 3600.0
"""Seconds between two passes over all rows."""
RETRY_S = 300.0
"""Seconds after which a tenant is tried again whose log cannot be continued."""

_SKEW = timedelta(minutes=1)

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
        self._pause = pause
        self._places: dict[tuple[int, str], Place] = {}
        self._frontiers: dict[int, Frontier] = {}
        self._exporter = HeadExporter(engine, signer, files)
        self._passed_at = time.monotonic()
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
        with run_lock(self._engine) as is_mine:
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
            if full:
                self._begin_places(tenants)
            sealed = self._pass(tenants, found, full=full)
            if full:
                self._complete_at |= {t.id: begun for t in tenants if t.id not in found}
            self._export_all(tenants, found, now, is_due=full)
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

    def _begin_places(self, tenants: list[Tenant]) -> None:
        """Begin where the rows end now: what is above is sealed between pages of the full pass."""
        seen_at = time.monotonic()
        for source in SOURCES:
            for tenant_id, newest in self._newest(source, tenants).items():
                place = self._places.setdefault((tenant_id, source.kind), Place())
                if place.settled is None:
                    place.sealed(newest, seen_at, full=True)

    def _pass(self, tenants: list[Tenant], faults: dict[int, SealError], *, full: bool) -> int:
        """Seal the new rows of tenants without a fault; return how many."""
        return sum(self._seal_kind(source, tenants, faults, full=full) for source in SOURCES)

    def _pass_between(self, tenants: list[Tenant], faults: dict[int, SealError]) -> int:
        """Seal new rows, and export heads, between two pages of a full pass where it is time."""
        if time.monotonic() - self._passed_at < EVERY_S:
            return 0
        sealed = self._pass(tenants, faults, full=False)
        self._export_all(tenants, faults, None, is_due=False)
        self._passed_at = time.monotonic()
        return sealed

    def _newest(self, source: Source, tenants: list[Tenant]) -> dict[int, list[str] | None]:
        ids = [tenant.id for tenant in tenants]
        cap = first_id_at(int((datetime.now(UTC) + _SKEW).timestamp() * 1000))
        with self._reading(*ids) as connection:
            return dict(source.newest(connection, ids, str(cap)))

    def _seal_kind(
        self, source: Source, tenants: list[Tenant], faults: dict[int, SealError], *, full: bool
    ) -> int:
        """Seal the new rows of a kind; return how many."""
        seen_at = time.monotonic()
        newest = self._newest(source, tenants)
        sealed = 0
        for tenant in tenants:
            place = self._places.setdefault((tenant.id, source.kind), Place())
            is_settled = not full and newest[tenant.id] in (None, place.settled)
            if is_settled or tenant.id in faults:
                continue
            between = partial(self._pass_between, tenants, faults) if full else None
            with _kept(faults, tenant):
                sealed += self._seal(tenant, source, None if full else place.settled, between)
                place.sealed(newest[tenant.id], seen_at, full=full)
        return sealed

    def _seal(
        self,
        tenant: Tenant,
        source: Source,
        after: list[str] | None,
        between: Callable[[], int] | None,
    ) -> int:
        """Seal a tenant's rows of a kind that follow a place; return how many.

        `between` is called after each page, and returns how many rows it sealed itself.
        """
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
            sealed += between() if between else 0

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

    def _export_all(
        self,
        tenants: list[Tenant],
        faults: dict[int, SealError],
        now: datetime | None,
        *,
        is_due: bool,
    ) -> None:
        for tenant in tenants:
            with _kept(faults, tenant):
                self._export(tenant, now, is_due=is_due)

    def _export(self, tenant: Tenant, now: datetime | None, *, is_due: bool) -> None:
        frontier = self._frontiers.get(tenant.id)
        complete_at = self._complete_at.get(tenant.id)
        self._exporter.export(tenant, frontier, complete_at, now, is_due=is_due)

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

"""Verify a tenant's sealed log from its rows, its leaves and the exported heads.

Leaves are read by position, a page at a time, so that memory does not grow with the log. Each row's
commitment is computed from the row, each root from the leaves; what a head signed is what an
attacker who may write every table cannot make.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta

from sqlalchemy import Connection, Engine, text

from persistence.sealing.errors import SealError
from persistence.sealing.expiry import Expiry, expiries
from persistence.sealing.gone import Gone
from persistence.sealing.head_files import HeadFiles
from persistence.sealing.implied import implied_problems
from persistence.sealing.notes import Head, Verifier
from persistence.sealing.source import PRINTING
from persistence.sealing.sources import BY_FORM, SOURCES
from persistence.sealing.stored_tree import StoredLeaf, find_leaf, read_leaves, size_of
from persistence.sealing.verdict import Problem, Report, Verdict
from persistence.tenancy import tenant_transaction
from persistence.tenants import list_tenants
from scoring.counted import counted
from scoring.sealing.leaf import commit_row
from scoring.sealing.tree import Frontier, hash_leaf

PAGE_ROWS = 1000
LATE = timedelta(hours=2)
"""Longest time between a row's own time and its commit: a long transaction, a wrong clock."""

Progress = Callable[[int, int], None]
"""`progress(rows, all)`: called after each page."""


def logs(engine: Engine, files: HeadFiles) -> dict[str, int | None]:
    """Return the tenants that have heads or leaves, by slug; None: the database has none such."""
    found: dict[str, int | None] = dict.fromkeys(files.slugs())
    for tenant in list_tenants(engine):
        with tenant_transaction(engine, tenant.id) as connection:
            if tenant.slug in found or size_of(connection, tenant.id):
                found[tenant.slug] = tenant.id
    return dict(sorted(found.items()))


def verify(
    engine: Engine,
    slug: str,
    tenant_id: int | None,
    files: HeadFiles,
    verifier: Verifier,
    *,
    least_months: int | None = None,
    progress: Progress = lambda _rows, _all: None,
    report: Report = lambda _problem: None,
) -> Verdict:
    """Verify a tenant's log.

    Args:
        engine: pool whose role may read the tables.
        slug: slug of the tenant.
        tenant_id: tenant of that slug in the database; None: there is none.
        files: folder of the exported heads.
        verifier: public key of the heads.
        least_months: whole months that retention has to have kept; None: what it stated.
        progress: function that is called after each page.
        report: function that is called with each of the first problems as it is found: the end of a
            large log comes hours later.

    Raises:
        StoreUnavailable: Postgres is unreachable, the connection broke, or the schema is missing.
    """
    verdict = Verdict(slug, report=report)
    try:
        heads = _Heads(slug, files, verifier)
    except SealError as error:
        verdict.add([Problem(0, "the whole log", f"cannot be compared with heads: {error}")])
        return verdict
    if tenant_id is None:
        verdict.add([Problem(0, "the whole log", heads.missing("there is no such tenant"))])
        return verdict
    with tenant_transaction(engine, tenant_id) as connection:
        size = size_of(connection, tenant_id)
        statements, problems = _statements(connection, tenant_id)
    verdict.add(problems)
    gone = Gone(statements, least_months)
    verdict.add(heads.strays())
    frontier = Frontier()
    for start in range(0, size, PAGE_ROWS):
        with tenant_transaction(engine, tenant_id) as connection:
            connection.execute(text("SET TRANSACTION READ ONLY"))
            connection.execute(PRINTING)
            leaves = read_leaves(connection, tenant_id, start, min(start + PAGE_ROWS, size))
            contents = _contents(connection, tenant_id, leaves)
        for leaf in leaves:
            if leaf.position != frontier.size:
                break
            verdict.add(_row_problems(leaf, contents, gone, verdict))
            frontier.append(hash_leaf(leaf.leaf(slug).data()))
            verdict.add(heads.at(frontier, leaf, gone))
        progress(frontier.size, size)
        if frontier.size != min(start + PAGE_ROWS, size):
            verdict.add([Problem(frontier.size, f"leaf {frontier.size}", "is missing")])
            break
    expired, problems = gone.judge()
    verdict.expired = expired
    verdict.add(problems)
    verdict.add(heads.behind(frontier.size))
    verdict.head_size = heads.size
    if heads.newest is not None:
        verdict.head_at, verdict.complete_at = heads.newest.at, heads.newest.complete_at
    verdict.unproven = max(0, size - heads.size)
    with tenant_transaction(engine, tenant_id) as connection:
        connection.execute(text("SET TRANSACTION READ ONLY"))
        verdict.add(_unsealed(connection, tenant_id, verdict, size))
        verdict.add(
            Problem(size, row, what) for row, what in implied_problems(connection, tenant_id)
        )
    return verdict


class _Heads:
    """The heads of a tenant, compared one by one as the tree grows."""

    def __init__(self, slug: str, files: HeadFiles, verifier: Verifier) -> None:
        self._slug = slug
        self._files = files
        self._verifier = verifier
        self.size = files.newest(slug)
        self._sizes = [size for size in files.sizes(slug) if size <= self.size]
        self._next = 0
        self._is_broken = False
        self._begin: StoredLeaf | None = None
        self.newest: Head | None = None
        if self._sizes:
            with suppress(SealError):  # `at` or `behind` reports it
                self.newest = verifier.open(files.read(slug, self.size))

    def at(self, frontier: Frontier, leaf: StoredLeaf, gone: Gone) -> Iterator[Problem]:
        """Compare the tree, which now ends with a leaf, with the head of its size, if any."""
        if self._begin is None:
            self._begin = leaf
        if self._next >= len(self._sizes) or frontier.size != self._sizes[self._next]:
            return
        self._next += 1
        path = self._files.path(self._slug, frontier.size)
        try:
            note = self._files.read(self._slug, frontier.size)
            if not note:  # sealing was killed before it wrote this one
                return
            begin, self._begin = self._begin, None
            head = self._verifier.open(note)
        except SealError as error:
            yield Problem(leaf.position, f"head {path}", str(error))
            return
        origin = f"{self._verifier.name}/{self._slug}"
        if (head.origin, head.size) != (origin, frontier.size):
            yield Problem(leaf.position, f"head {path}", f"is of {head.origin}, {head.size} leaves")
        elif head.root != frontier.root() and not self._is_broken:
            self._is_broken = True  # every later root differs as well
            yield Problem(
                begin.position,
                f"{begin.kind} {begin.key}",
                f"or a later row up to leaf {leaf.position}, {leaf.kind} {leaf.key}, differs from"
                f" what the head {path} sealed",
            )
        elif not self._is_broken:
            gone.saw_head(head.at)

    def strays(self) -> Iterator[Problem]:
        """Yield a problem for each file that has the name of no head."""
        for name in self._files.strays(self._slug):
            path = self._files.root / self._slug / name
            what = "is passed over: the name of a head is its number of leaves in 20 digits"
            yield Problem(0, f"file {path}", what)

    def behind(self, size: int) -> Iterator[Problem]:
        """Yield a problem where a head was not compared: it has more leaves than were read."""
        if self._next < len(self._sizes):
            yield Problem(size, f"leaf {size}", self.missing(f"the log ends with leaf {size - 1}"))
        elif not self._sizes and size:
            yield Problem(0, "the whole log", "has no head")

    def missing(self, reason: str) -> str:
        """Return what is missing."""
        path = self._files.path(self._slug, self.size)
        return (
            f"is missing: the head {path} has {counted(self.size, 'leaf', 'leaves')}, and {reason}"
        )


def _statements(
    connection: Connection, tenant_id: int
) -> tuple[list[tuple[Expiry, int | None]], list[Problem]]:
    """Return the statements of what expired with the positions of their leaves, and problems."""

    def position(key: str) -> int | None:
        leaf = find_leaf(connection, tenant_id, "expiry", key)
        return None if leaf is None else leaf.position

    found, unreadable = expiries(connection, tenant_id)
    problems = [
        Problem(position(key) or 0, f"expiry {key}", "states no month, or no time")
        for key in unreadable
    ]
    return [(expiry, position(expiry.key)) for expiry in found], problems


def _contents(
    connection: Connection, tenant_id: int, leaves: list[StoredLeaf]
) -> dict[tuple[str, str], list[str | None]]:
    """Return the content of the rows of leaves by kind and key."""
    keys: dict[tuple[str, int], list[str]] = defaultdict(list)
    for leaf in leaves:
        source = BY_FORM.get((leaf.kind, leaf.form))
        if source is not None and source.is_key(leaf.key):
            keys[leaf.kind, leaf.form].append(leaf.key)
    return {
        (kind, key): content
        for (kind, form), of_form in keys.items()
        for key, content in BY_FORM[kind, form].read(connection, tenant_id, of_form).items()
    }


def _row_problems(
    leaf: StoredLeaf,
    contents: dict[tuple[str, str], list[str | None]],
    gone: Gone,
    verdict: Verdict,
) -> Iterator[Problem]:
    """Yield what is wrong with the row of a leaf."""
    name = f"{leaf.kind} {leaf.key}"
    source = BY_FORM.get((leaf.kind, leaf.form))
    content = contents.get((leaf.kind, leaf.key))
    if source is None:
        yield Problem(leaf.position, name, f"has the form {leaf.form}, which this release lacks")
    elif not source.is_key(leaf.key):
        yield Problem(leaf.position, name, "has a key that no row can have")
    elif content is None:
        if problem := gone.saw_none(leaf):
            yield problem
    elif leaf.salt is None:
        gone.saw_row(leaf)
        # Without a salt any content would do, so the row proves nothing, whatever was stated.
        yield Problem(
            leaf.position,
            name,
            "has lost the salt of its leaf, or dropping its month was not finished;"
            " run `sentinel db maintain` again",
        )
    elif commit_row(leaf.salt, source.fields(content)) != leaf.commitment:
        yield Problem(leaf.position, name, "is not as it was sealed")
    else:
        verdict.rows += 1
        gone.saw_row(leaf)
        if leaf.kind == "expiry":
            gone.saw_statement(leaf.key)


def _unsealed(
    connection: Connection, tenant_id: int, verdict: Verdict, size: int
) -> Iterator[Problem]:
    """Count the rows without a leaf; yield a problem for each kind that sealing passed over.

    That is so where the newest head states that a pass over all rows began long after the row was
    stored. While sealing catches up, old rows wait as well.
    """
    for source in SOURCES:
        count, _ = source.unsealed(connection, tenant_id)
        verdict.waiting += count
        if not count or source.stamp is None or verdict.complete_at is None:
            continue
        late, key = source.unsealed(connection, tenant_id, verdict.complete_at - LATE)
        if late:
            yield Problem(
                size,
                f"{source.kind} {key}",
                f"has no leaf ({late} such), although it was stored long before the last pass over"
                " all rows",
            )

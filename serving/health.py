"""Readiness: whether Postgres has this release's schema and role, and a model serves."""

from __future__ import annotations

import orjson
from sqlalchemy import Engine
from starlette.responses import Response

from persistence.circuit import Circuit
from persistence.engine import verify_session
from persistence.journal.journal import Journal
from persistence.maintenance.migrate import current_revision, head_revision, is_older
from scoring.errors import SentinelError
from serving.deployment.alias_follower import AliasFollower
from web.problem_types import NOT_READY, RETRY_AFTER_S, type_uri
from web.problems import MEDIA_TYPE


class StoreChecks:
    """Checks whether a decision can be stored now.

    Args:
        engine: database pool of the payment path.
        circuit: circuit of the payment path.
        journal: journal of this process; None where its folder cannot be used.
    """

    def __init__(self, engine: Engine, circuit: Circuit, journal: Journal | None) -> None:
        self._engine = engine
        self._circuit = circuit
        self._journal = journal

    def postgres(self) -> str:
        """Return `ok`, or why Postgres stores no decision."""
        return self._circuit.reason or _check_postgres(self._engine)

    def can_journal(self) -> bool:
        """Whether the journal takes decisions."""
        return self._journal is not None and self._journal.has_room

    def journal(self) -> dict[str, int | None]:
        """Return how many decisions wait for Postgres, and the size of the journal."""
        journal = self._journal
        if journal is None:
            return {"waiting": None, "bytes": None}
        return {"waiting": journal.waiting, "bytes": journal.size}


def report(store: StoreChecks, alias_follower: AliasFollower) -> Response:
    """Check Postgres and the models; return 200 when a payment can be decided, else 503.

    Without Postgres a process is ready while it can journal the decisions of some tenant: if it
    were not, no payment would reach it (docs/decisions/0022-journal.md).

    Args:
        store: checks of Postgres and of the journal.
        alias_follower: source of the models and the policy that serve each tenant.
    """
    checks = {"postgres": store.postgres(), "model": _check_models(alias_follower)}
    is_journalling = (
        checks["postgres"] != "ok" and store.can_journal() and alias_follower.can_journal()
    )
    ready = all(
        result == "ok" or (name == "postgres" and is_journalling) for name, result in checks.items()
    )
    document = {
        "ready": ready,
        "checks": checks,
        "journal": {"in_use": is_journalling, **store.journal()},
        "models": alias_follower.in_use(),
        # A process that cannot follow a promotion goes on deciding, so both leave `ready` alone.
        "registry": alias_follower.registry_unavailable or "ok",
        "faults": alias_follower.faults,
    }
    if ready:
        return Response(orjson.dumps(document), media_type="application/json")
    problem = {
        "type": type_uri(NOT_READY.code),
        "title": NOT_READY.title,
        "status": NOT_READY.status,
        "detail": " ".join(result for result in checks.values() if result != "ok"),
    }
    return Response(
        orjson.dumps(problem | document),
        NOT_READY.status,
        {"Retry-After": str(RETRY_AFTER_S)},
        MEDIA_TYPE,
    )


def _check_postgres(engine: Engine) -> str:
    try:
        verify_session(engine)
        revision = current_revision(engine)
    except SentinelError as error:
        return str(error)
    # This release works with a later schema (docs/decisions/0003-migrations.md): during a rolling
    # update the old pods must stay ready.
    if is_older(revision):
        return (
            f"The database is at revision {revision or 'none'}, but this release needs "
            f"{head_revision()}; run `sentinel db upgrade`."
        )
    return "ok"


def _check_models(alias_follower: AliasFollower) -> str:
    return "ok" if alias_follower.can_decide() else "No tenant has a model version in production."

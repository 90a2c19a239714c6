"""Readiness that tells the truth: Postgres answers with this release's schema, a model serves."""

from __future__ import annotations

import orjson
from sqlalchemy import Engine
from starlette.responses import Response

from persistence.maintenance.migrate import current_revision, head_revision, is_older
from scoring.errors import SentinelError
from serving.deployment.alias_follower import AliasFollower
from web.problems import MEDIA_TYPE, detail_of


def report(engine: Engine, models: AliasFollower) -> Response:
    """Check Postgres and the models; 200 when a payment can be decided, else 503."""
    checks = {"postgres": _postgres(engine), "model": _model(models)}
    ready = all(found == "ok" for found in checks.values())
    document = {"ready": ready, "checks": checks, "models": models.in_use()}
    if ready:
        return Response(orjson.dumps(document), media_type="application/json")
    about = {
        "type": "urn:sentinel:problem:not-ready",
        "title": "Not ready",
        "status": 503,
        "detail": " ".join(found for found in checks.values() if found != "ok"),
    }
    return Response(orjson.dumps(about | document), 503, media_type=MEDIA_TYPE)


def _postgres(engine: Engine) -> str:
    try:
        revision = current_revision(engine)
    except SentinelError as error:
        return detail_of(error)
    # A later release's schema still serves this one (docs/decisions/0003-migrations.md): while a
    # rolling update goes on, the pods that it replaces have to stay ready.
    if is_older(revision):
        return (
            f"The database is at revision {revision or 'none'}, this release needs "
            f"{head_revision()}; run `sentinel db upgrade`."
        )
    return "ok"


def _model(models: AliasFollower) -> str:
    return "ok" if models.can_decide() else "No tenant has a model version in production."

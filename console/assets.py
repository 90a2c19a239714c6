"""The style sheet and the scripts: served with a content hash, so that browsers keep them."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from fastapi import APIRouter
from starlette.responses import Response

from scoring.errors import NotFound

FOLDER = Path(__file__).parent / "static"
_MEDIA_TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_FOREVER = "public, max-age=31536000, immutable"
_HASH_LENGTH = 12

router = APIRouter(include_in_schema=False)


def asset_url(name: str) -> str:
    """Return the address of a file under `static/`; it changes with the file's content."""
    return f"/console/static/{_asset(name)[1]}/{name}"


@router.get("/console/static/{digest}/{name:path}")
async def read_asset(digest: str, name: str) -> Response:
    """Serve a file of the console."""
    if name not in _names():
        raise NotFound(f"There is no file {name}.")
    content, current = _asset(name)
    # A page of the release before may ask for its file from a process of this one.
    keep = _FOREVER if digest == current else "no-cache"
    return Response(
        content, media_type=_MEDIA_TYPES[Path(name).suffix], headers={"Cache-Control": keep}
    )


@cache
def _names() -> frozenset[str]:
    files = (path for path in FOLDER.rglob("*") if path.suffix in _MEDIA_TYPES)
    return frozenset(path.relative_to(FOLDER).as_posix() for path in files)


@cache
def _asset(name: str) -> tuple[bytes, str]:
    content = (FOLDER / name).read_bytes()
    return content, hashlib.sha256(content).hexdigest()[:_HASH_LENGTH]

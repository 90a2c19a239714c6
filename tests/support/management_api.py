"""The management routes in this process, on a real database: no BentoML, no MLflow."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from zlib import crc32

import httpx
from anyio.from_thread import start_blocking_portal
from sqlalchemy import Engine

from api.dependencies import ApiDependencies
from api.pagination import Cursors
from app.management import create_app
from persistence.api_keys import KeyIssuer, Principal
from registry.client.base import RegisteredVersion
from web.auth import Authenticator
from web.head import HeadAsGet
from web.problems import ProblemBackstop

ACTOR = "k3Jd82mQpz"
"""Public prefix and name of every key."""


def send(
    engine: Engine,
    requests: Iterable[tuple[int, str, str, Any]],
    refresh_settings: Callable[[int], None] = lambda _: None,
    find_version: FindVersion = lambda _name, _number: None,
) -> list[httpx.Response]:
    """Send requests one after another, and return their replies.

    Args:
        engine: pool that acts as the service does.
        requests: tenant (0: nobody), method, path with its query, and body: JSON, bytes or None.
        refresh_settings: function that puts a tenant's policy and event type in force in this
            process.
        find_version: function that returns a version of a registered model, as MLflow has it.
    """
    with connected(engine, refresh_settings, find_version) as request:
        return [request(*wanted) for wanted in requests]


FindVersion = Callable[[str, int], RegisteredVersion | None]
Request = Callable[..., httpx.Response]


@contextmanager
def connected(
    engine: Engine,
    refresh_settings: Callable[[int], None] = lambda _: None,
    find_version: FindVersion = lambda _name, _number: None,
) -> Iterator[Request]:
    """Yield `request(tenant, method, path, body, **headers)`; arguments as for `send`."""
    dependencies = ApiDependencies(
        engine,
        Authenticator(_verify),
        Cursors(b"secret"),
        refresh_settings,
        find_version,
        KeyIssuer(b"secret"),
    )
    transport = httpx.ASGITransport(HeadAsGet(ProblemBackstop(create_app(dependencies))))
    client = httpx.AsyncClient(transport=transport, base_url="http://sentinel")

    async def request(
        tenant_id: int, method: str, path: str, body: Any = None, **headers: str
    ) -> httpx.Response:
        named = _authorization(tenant_id)
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        raw = {name: value.encode("latin-1") for name, value in named.items()}
        return await client.request(method, path, content=_content(body), headers=raw)

    with start_blocking_portal() as portal:
        yield lambda *args, **headers: portal.call(partial(request, *args, **headers))


def _content(body: Any) -> bytes | None:
    return body if body is None or isinstance(body, bytes) else json.dumps(body).encode()


def _authorization(tenant_id: int) -> dict[str, str]:
    return {"Authorization": f"Bearer {_key(tenant_id)}"}


def _key(tenant_id: int) -> str:
    body = f"sk_{tenant_id:010d}_{'x' * 32}"
    return f"{body}{crc32(body.encode()):08x}"


def _verify(key: str) -> Principal | None:
    tenant_id = int(key.split("_")[1])
    scopes = frozenset({"review", "admin"})
    return Principal(tenant_id, "slug", "model", ACTOR, ACTOR, scopes, None) if tenant_id else None

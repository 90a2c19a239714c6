"""The INSERT-only baseline: one INSERT and COMMIT, and a constant reply over HTTP.

Bare Starlette on uvicorn with uvloop and httptools, psycopg with transactions as they come and no
ORM. A stored reply cannot cost less; what a fraud
decision takes more is the service's own cost.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import click
import psycopg
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

CONNECTIONS = 5
"""As many as a worker of the service has. Sixteen share an fsync among more commits, which serves
about 1.4 times as many of 64 clients."""
REPLY = b'{"score":0.5,"decision":"approve"}'
_CREATE = """
CREATE TABLE IF NOT EXISTS insert_only (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text
)
"""
_INSERT = "INSERT INTO insert_only (body) VALUES (%s)"

Connections = asyncio.Queue[psycopg.AsyncConnection]


def create_app(database_url: str | None) -> Starlette:
    """Make the application.

    Args:
        database_url: where to INSERT; None: nowhere.
    """
    free: Connections = Connections()

    @asynccontextmanager
    async def connected(_app: Starlette) -> AsyncIterator[None]:
        if database_url is None:
            yield
            return
        opened = [await psycopg.AsyncConnection.connect(database_url) for _ in range(CONNECTIONS)]
        await opened[0].execute(_CREATE)
        await opened[0].commit()
        for connection in opened:
            free.put_nowait(connection)
        yield
        for connection in opened:
            await connection.close()

    async def score(request: Request) -> Response:
        body = await request.body()
        if database_url is not None:
            connection = await free.get()
            try:
                await connection.execute(_INSERT, [body.decode()], prepare=True)
                await connection.commit()
            finally:
                free.put_nowait(connection)
        return Response(REPLY, media_type="application/json")

    async def health(_request: Request) -> Response:
        return Response(b"ok")

    routes = [Route("/score", score, methods=["POST"]), Route("/health", health)]
    return Starlette(routes=routes, lifespan=connected)


@click.command()
@click.option("--port", type=int, required=True)
@click.option("--database-url", envvar="DATABASE_URL")
def main(port: int, database_url: str | None) -> None:
    """Serve; without a database URL nothing is stored."""
    uvicorn.run(
        create_app(database_url),
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main()

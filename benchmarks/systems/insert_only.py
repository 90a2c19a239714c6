"""The INSERT-only baseline: one INSERT and COMMIT, and a constant reply over HTTP.

It is Starlette on uvicorn with uvloop and httptools, and psycopg without an ORM. A stored reply
cannot cost less, so the difference to it is the cost of a fraud decision in the service.
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
"""As many connections as a worker of the service has. With sixteen, more commits share an fsync:
64 clients get about 1.4 times as many replies."""
REPLY = b'{"score":0.5,"decision":"approve"}'
_CREATE = """
CREATE TABLE IF NOT EXISTS insert_only (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text
)
"""
_INSERT = "INSERT INTO insert_only (body) VALUES (%s)"

Connections = asyncio.Queue[psycopg.AsyncConnection]


def create_app(database_url: str | None) -> Starlette:
    """Return the application.

    Args:
        database_url: URL of the database for the INSERT; None: no INSERT.
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
    """Run the server; without a database URL nothing is stored."""
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

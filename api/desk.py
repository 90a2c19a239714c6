"""The review routes' way to the rooms below, and their share of the process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread
from sqlalchemy import Engine

from api.auth import Authenticator
from api.cursors import Cursors

DESK_CONNECTIONS = 3
"""Connections, and threads, that the review routes have for themselves: however many analysts
search, they wait for each other and never keep a payment waiting."""

Asked = ParamSpec("Asked")
Answer = TypeVar("Answer")


class Desk:
    """What every review route needs; one a process, set as `state.desk` when the service opens.

    Attributes:
        auth: tells who calls.
        cursors: makes and reads cursors.
    """

    def __init__(self, engine: Engine, auth: Authenticator, cursors: Cursors) -> None:
        self.auth = auth
        self.cursors = cursors
        self._engine = engine
        self._threads = CapacityLimiter(DESK_CONNECTIONS)

    async def ask(
        self,
        query: Callable[Concatenate[Engine, Asked], Answer],
        *args: Asked.args,
        **kwargs: Asked.kwargs,
    ) -> Answer:
        """Run a blocking query of `persistence` beside the event loop."""
        return await to_thread.run_sync(
            lambda: query(self._engine, *args, **kwargs), limiter=self._threads
        )

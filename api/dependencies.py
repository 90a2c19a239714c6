"""The mounted routes' way to the rooms below, their share of the process, and who may call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Concatenate, ParamSpec, TypeVar, cast

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, Request
from sqlalchemy import Engine

from api.pagination import Cursors
from persistence.api_keys import Principal
from web.auth import Authenticator
from web.problems import invalid_fields
from web.single_flight_cache import SingleFlightCache

API_CONNECTIONS = 3
"""Connections, and threads, that these routes have for themselves: however many analysts search,
they wait for each other and never keep a payment waiting."""
KEEP_STUDY_S = 30.0
"""How long a study serves, so that a dashboard that refreshes does not repeat it each time."""
MAX_STUDIES = 16
"""Of up to 3 MB each."""

Asked = ParamSpec("Asked")
Answer = TypeVar("Answer")


class ApiDependencies:
    """What every management route needs; one a process.

    Args:
        engine: the pool, of API_CONNECTIONS.
        auth: tells who calls.
        cursors: makes and reads cursors.
        refresh_policy: puts a tenant's policy in force in this process; blocking.
    """

    def __init__(
        self,
        engine: Engine,
        auth: Authenticator,
        cursors: Cursors,
        refresh_policy: Callable[[int], None],
    ) -> None:
        self.auth = auth
        self.cursors = cursors
        self._engine = engine
        self._refresh_policy = refresh_policy
        self._threads = CapacityLimiter(API_CONNECTIONS)
        self._studying = CapacityLimiter(1)
        self._studies: SingleFlightCache[Any] = SingleFlightCache(KEEP_STUDY_S, MAX_STUDIES)

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

    async def study(
        self,
        query: Callable[Concatenate[Engine, Asked], Answer],
        *args: Asked.args,
        **kwargs: Asked.kwargs,
    ) -> Answer:
        """Run a query that reads and computes much: one at a time, its result kept for a while.

        The result is shared, so it must not be changed; the arguments are hashable.
        """

        async def load() -> Answer:
            async with self._studying:
                return await self.ask(query, *args, **kwargs)

        key = (query, args, tuple(sorted(kwargs.items())))
        return cast("Answer", await self._studies.get(key, load))

    async def refresh_policy(self, tenant_id: int) -> None:
        """Put a tenant's policy in force in this process, before anything else is decided."""
        await to_thread.run_sync(self._refresh_policy, tenant_id, limiter=self._threads)


def get_dependencies(request: Request) -> ApiDependencies:
    """Return what the service opened with."""
    dependencies: ApiDependencies = request.app.state.dependencies
    return dependencies


CurrentDependencies = Annotated[ApiDependencies, Depends(get_dependencies)]


def _caller(scope: str) -> Callable[[Request, ApiDependencies], Awaitable[Principal]]:
    async def require(request: Request, dependencies: CurrentDependencies) -> Principal:
        return await dependencies.auth.require(request.headers.get("authorization"), scope)

    return require


_REVIEWER, _ADMIN = Depends(_caller("review")), Depends(_caller("admin"))
Reviewer = Annotated[Principal, _REVIEWER]
Admin = Annotated[Principal, _ADMIN]


def _no_parameters(request: Request) -> None:
    if request.query_params:
        raise invalid_fields(
            [((name,), "is not a parameter of this route") for name in request.query_params]
        )


# Who calls comes first: without a key nothing else is looked at.
REVIEWER_WITHOUT_PARAMETERS = [_REVIEWER, Depends(_no_parameters)]
"""Dependencies of a route for reviewers that refuses query parameters."""
ADMIN_WITHOUT_PARAMETERS = [_ADMIN, Depends(_no_parameters)]
"""Dependencies of a route for administrators that refuses query parameters."""

"""What the management routes share: database threads, authentication and cached queries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Concatenate, ParamSpec, TypeVar, cast

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, Request
from sqlalchemy import Engine

from api.pagination import Cursors
from persistence.api_keys import KeyIssuer, Principal
from registry.client.base import RegisteredVersion
from scoring.errors import Overloaded
from web.auth import Authenticator
from web.client_address import Network
from web.failure_limit import FailureLimit
from web.headers import authorization
from web.invalid_fields import invalid_fields
from web.openid import OpenIdProvider
from web.single_flight_cache import SingleFlightCache

API_CONNECTIONS = 3
"""Connections, and threads, of the management routes. However many analysts search, they wait for
each other and never keep a payment waiting."""
KEEP_RESULT_S = 30.0
"""Seconds that the result of an expensive query is used again, such as by a dashboard's refresh."""
MAX_FAILED_SIGN_INS = 30
"""Failed sign-ins of a network address after which the process accepts none for a while."""
FAILED_SIGN_INS_S = 15 * 60.0
"""Seconds from the first one for which they count."""
MAX_WAITING_HASHES = 8
"""Sign-ins that wait for the one before."""
MAX_KEPT_RESULTS = 16
"""Results of up to 3 MB each."""

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class ApiDependencies:
    """What the management routes of a process use.

    Args:
        engine: database pool of API_CONNECTIONS connections.
        auth: verifier of API keys.
        cursors: signer of pagination cursors.
        refresh_settings: blocking function that puts a tenant's policy and event type in force in
            this process.
        find_version: blocking function that returns a version of a registered model by its number;
            None where MLflow does not have it.
        key_issuer: issuer of API keys, for administrators in the console.
        openid: provider at which people may sign in; None: with passwords only.
        public_url: address at which people open the console; None: that of each request.
        proxies: networks of the proxies in front of the service, which name the address of who
            signs in; None: they are not known, so that failures are not limited by address.
        mlflow_url: address at which people open MLflow; None: no page leads there.
    """

    def __init__(
        self,
        engine: Engine,
        auth: Authenticator,
        cursors: Cursors,
        refresh_settings: Callable[[int], None],
        find_version: Callable[[str, int], RegisteredVersion | None],
        key_issuer: KeyIssuer,
        *,
        openid: OpenIdProvider | None = None,
        public_url: str | None = None,
        proxies: Sequence[Network] | None = None,
        mlflow_url: str | None = None,
    ) -> None:
        self.openid = openid
        self.public_url = public_url
        self.mlflow_url = mlflow_url
        self.proxies = proxies
        self.failed_sign_ins = FailureLimit(MAX_FAILED_SIGN_INS, FAILED_SIGN_INS_S)
        self.auth = auth
        self.cursors = cursors
        self.key_issuer = key_issuer
        self._engine = engine
        self._refresh_settings = refresh_settings
        self._find_version = find_version
        self._threads = CapacityLimiter(API_CONNECTIONS)
        self._expensive = CapacityLimiter(1)
        self._registry = CapacityLimiter(1)  # its own: a registry that hangs holds no query
        self._provider = CapacityLimiter(1)
        self._hashing = CapacityLimiter(1)
        self._results: SingleFlightCache[Any] = SingleFlightCache(KEEP_RESULT_S, MAX_KEPT_RESULTS)

    async def run(
        self,
        query: Callable[Concatenate[Engine, Parameters], Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Run a blocking query of `persistence` beside the event loop."""
        return await to_thread.run_sync(
            lambda: query(self._engine, *args, **kwargs), limiter=self._threads
        )

    async def run_hashing(
        self,
        query: Callable[Concatenate[Engine, Parameters], Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Run a query that hashes a password: one at a time, since each takes 46 MiB and 40 ms.

        Raises:
            Overloaded: MAX_WAITING_HASHES wait already.
        """
        if self._hashing.statistics().tasks_waiting >= MAX_WAITING_HASHES:
            raise Overloaded("Too many people are signing in at once; try again in a moment.")
        async with self._hashing:
            return await self.run(query, *args, **kwargs)

    async def ask_provider(
        self,
        ask: Callable[Parameters, Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Run a blocking request to the sign-in provider, one at a time; it holds no query."""
        return await to_thread.run_sync(lambda: ask(*args, **kwargs), limiter=self._provider)

    async def run_cached(
        self,
        query: Callable[Concatenate[Engine, Parameters], Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Run an expensive query: one at a time, its result kept for KEEP_RESULT_S.

        The result is shared, so it must not be changed; the arguments are hashable.
        """

        async def load() -> Result:
            async with self._expensive:
                return await self.run(query, *args, **kwargs)

        key = (query, args, tuple(sorted(kwargs.items())))
        return cast("Result", await self._results.get(key, load))

    async def run_expensive(self, query: Callable[[Engine], Result]) -> Result:
        """Run an expensive query that no other request repeats; one at a time."""
        async with self._expensive:
            return await self.run(query)

    async def refresh_settings(self, tenant_id: int) -> None:
        """Put a tenant's policy in force in this process, before anything else is decided."""
        await to_thread.run_sync(self._refresh_settings, tenant_id, limiter=self._threads)

    async def find_version(self, name: str, version: int) -> RegisteredVersion | None:
        """Return a version of a registered model; None where MLflow does not have it.

        Raises:
            RegistryUnavailable: MLflow does not answer.
        """
        return await to_thread.run_sync(self._find_version, name, version, limiter=self._registry)


def get_dependencies(request: Request) -> ApiDependencies:
    """Return the dependencies that the application was created with."""
    dependencies: ApiDependencies = request.app.state.dependencies
    return dependencies


CurrentDependencies = Annotated[ApiDependencies, Depends(get_dependencies)]


def _caller(*scopes: str) -> Callable[[Request, ApiDependencies], Awaitable[Principal]]:
    async def require(request: Request, dependencies: CurrentDependencies) -> Principal:
        principal = await dependencies.auth.require(authorization(request), *scopes)
        _refuse_repeated_parameters(request)
        return principal

    return require


_REVIEWER, _ADMIN = Depends(_caller("review")), Depends(_caller("admin"))
_ANY_SCOPE = Depends(_caller("score", "review", "admin"))
Reviewer = Annotated[Principal, _REVIEWER]
Admin = Annotated[Principal, _ADMIN]
AnyScope = Annotated[Principal, _ANY_SCOPE]


def _refuse_repeated_parameters(request: Request) -> None:
    """Refuse a query parameter that is sent twice, of which FastAPI would take the last."""
    names = [name for name, _ in request.query_params.multi_items()]
    repeated = dict.fromkeys(name for name in names if names.count(name) > 1)
    if repeated:
        raise invalid_fields([((name,), "is given twice; give it once") for name in repeated])


def _no_parameters(request: Request) -> None:
    if request.query_params:
        raise invalid_fields(
            [((name,), "is not a parameter of this route") for name in request.query_params]
        )


# The API key comes first: without one nothing else of the request is read.
REVIEWER_WITHOUT_PARAMETERS = [_REVIEWER, Depends(_no_parameters)]
"""Dependencies of a route for reviewers that refuses query parameters."""
ADMIN_WITHOUT_PARAMETERS = [_ADMIN, Depends(_no_parameters)]
"""Dependencies of a route for administrators that refuses query parameters."""
ANY_SCOPE_WITHOUT_PARAMETERS = [_ANY_SCOPE, Depends(_no_parameters)]
"""Dependencies of a route for every caller that refuses query parameters."""

"""The scoring routes: authenticate, read the body, resolve the models, enqueue an item, reply."""

from __future__ import annotations

from functools import partial
from time import perf_counter
from typing import Any, Protocol
from uuid import UUID

from anyio import to_thread
from sqlalchemy import Engine
from starlette.requests import Request
from starlette.responses import Response

from persistence.api_keys import Principal
from persistence.decisions.batch_keys import batch_request
from persistence.decisions.rows import Decided, read_decision
from persistence.journal.log import JournalledLog
from serving import health, responses
from serving.batching.item import Item
from serving.bodies import read_event, read_events, read_explain
from serving.deployment.alias_follower import AliasFollower
from serving.health import StoreChecks
from serving.rate_limits import Headers, RateLimits
from web.auth import Authenticator
from web.headers import authorization, caller, idempotency_key


class Queue(Protocol):
    """The queue of items that wait for their batch: `SentinelApp`, in `app/bento.py`."""

    async def enqueue(self, batchable: str, item: Any) -> Any:  # noqa: ANN401 - the item's answer
        """Put an item into the next batch of a batchable method; return its answer or raise."""


class ScoringEndpoints:
    """The scoring routes of a connected process.

    Args:
        engine: database pool of the payment path.
        auth: verifier of API keys.
        alias_follower: source of the models and the policy that serve each tenant.
        log: decision log, which refuses requests at once while Postgres is away.
        store: checks of Postgres and of the journal.
        rates: limits of payments a second.
        queue: queue of the batchable methods `score_batch`, `bulk_batch` and `explain_batch`.
    """

    def __init__(
        self,
        engine: Engine,
        auth: Authenticator,
        alias_follower: AliasFollower,
        log: JournalledLog,
        store: StoreChecks,
        rates: RateLimits,
        queue: Queue,
    ) -> None:
        self._engine = engine
        self._auth = auth
        self._alias_follower = alias_follower
        self._log = log
        self._store = store
        self._rates = rates
        self._queue = queue

    async def score(self, request: Request) -> Response:
        """Decide one transaction: one item of `score_batch`."""
        arrived_s = perf_counter()
        principal = await self._auth.require(authorization(request), "score")
        limits = self._rates.take(principal, caller(request))
        self._log.admit(principal.tenant_id)
        event = await read_event(request, self._alias_follower.validator(principal.tenant_id))
        assignment = await self._alias_follower.assignment(principal.tenant_id, event.event_type)
        item = Item(principal.tenant_id, assignment, [event], arrived_s, request.scope["origin"])
        answered = await self._queue.enqueue("score_batch", item)
        return _with(limits, responses.score_reply(answered, arrived_s))

    async def score_many(self, request: Request) -> Response:
        """Decide up to 1000 transactions: one item of `bulk_batch`."""
        arrived_s = perf_counter()
        principal = await self._auth.require(authorization(request), "score")
        self._rates.take(principal, caller(request))
        self._log.admit(principal.tenant_id)
        events = await read_events(request, self._alias_follower.validator(principal.tenant_id))
        limits = self._rates.take_more(principal, len(events) - 1)
        key = idempotency_key(request)
        keyed = None if key is None else batch_request(key, events)
        assignment = await self._alias_follower.assignment(
            principal.tenant_id, events[0].event_type
        )
        item = Item(
            principal.tenant_id,
            assignment,
            events,
            arrived_s,
            request.scope["origin"],
            request=keyed,
        )
        answered = await self._queue.enqueue("bulk_batch", item)
        return _with(limits, responses.batch_reply(answered, arrived_s))

    async def explain(self, request: Request) -> Response:
        """Explain a transaction, as one item of `explain_batch`, or a stored prediction."""
        arrived_s = perf_counter()
        principal = await self._auth.require(authorization(request), "score", "review")
        limits = self._rates.take(principal, caller(request))
        validator = self._alias_follower.validator(principal.tenant_id)
        event, prediction_id = await read_explain(request, validator)
        if prediction_id is not None:
            stored = await self._read_stored(principal, prediction_id)
            reply = responses.explain_reply(stored.prediction, str(stored.prediction_id), arrived_s)
            return _with(limits, reply)
        assert event is not None  # noqa: S101 - the body has exactly one
        assignment = await self._alias_follower.assignment(principal.tenant_id, event.event_type)
        item = Item(principal.tenant_id, assignment, [event], arrived_s, request.scope["origin"])
        (prediction,) = await self._queue.enqueue("explain_batch", item)
        return _with(limits, responses.explain_reply(prediction, None, arrived_s))

    async def readiness(self) -> Response:
        """Return 200 when this process can decide a payment now, else 503 with the reason."""
        return await to_thread.run_sync(health.report, self._store, self._alias_follower)

    async def _read_stored(self, reader: Principal, prediction_id: UUID) -> Decided:
        read = partial(
            read_decision, self._engine, reader.tenant_id, prediction_id, reader=reader.actor
        )
        return await to_thread.run_sync(read)


def _with(limits: Headers, response: Response) -> Response:
    """Return a response with the headers of the caller's limits."""
    response.raw_headers.extend(limits)
    return response

"""The BentoML service: every route, each one call into the rooms below.

`bentoml serve service:Sentinel` serves it. The three `*_batch` methods are adaptively batched by
BentoML and have no route of their own; requests reach them one item at a time.
"""

from __future__ import annotations

import logging
from contextlib import ExitStack
from time import perf_counter
from typing import Any
from uuid import UUID

import bentoml
from anyio import to_thread
from bentoml.exceptions import BentoMLException
from starlette.requests import Request
from starlette.responses import Response

from api import readiness, replies, requests, schemas
from api.batches import Answer, Item
from api.bento import SentinelApp, SentinelService
from api.opening import open_parts
from api.pages import PAGES
from api.review import REVIEW
from persistence.database import open_database
from persistence.decisions import Decided, read_decision
from registry.reader import open_registry
from scoring.prediction import Prediction
from sentinel.database_url import database_url
from sentinel.embedded import EmbeddedPostgresError
from sentinel.settings import Settings, SettingsError

MAX_BATCH_REQUESTS = 256
MAX_BULK_REQUESTS = 2
"""Of up to 1000 rows each: a larger batch would only make its first caller wait."""
SHED_AFTER_MS = 5_000
"""BentoML sheds on an overestimate of the wait; well above any goal, so that load is bounded by
`max_concurrency` (429) and not by a guess."""


@bentoml.service(
    name="sentinel",
    service_class=SentinelService,
    threads=4,
    traffic={"timeout": 10, "max_concurrency": 1024},
    # Spans for every request and the access log cost 0.6 of 0.8 ms CPU a request.
    tracing={"excluded_urls": ".*"},
    logging={"access": {"enabled": False}},
)
@bentoml.asgi_app(PAGES)
@bentoml.asgi_app(REVIEW)
class Sentinel:
    """Fraud decisions with calibrated probabilities, exact reasons and a durable log."""

    app: SentinelApp

    @bentoml.on_deployment
    def check() -> None:
        """Refuse to start, in one sentence, on settings that cannot work."""
        try:
            settings = Settings()
            settings.resolve_key_secret()
            open_registry(settings.tracking_uri)
            with database_url(settings) as url:
                open_database(url).dispose()
        except (ValueError, SettingsError, EmbeddedPostgresError) as error:
            raise BentoMLException(str(error)) from error

    @bentoml.on_startup
    def open(self) -> None:
        """Connect this worker to Postgres and the registry, and load what is in production."""
        logging.getLogger("sentinel").setLevel(logging.INFO)
        settings = Settings()
        self.resources = ExitStack()
        self.parts = open_parts(
            self.resources,
            database_url=self.resources.enter_context(database_url(settings)),
            tracking_uri=settings.tracking_uri,
            model_cache=settings.model_cache,
            key_secret=settings.resolve_key_secret(),
            models_in_memory=settings.models_in_memory,
            poll_seconds=settings.alias_poll_seconds,
        )
        REVIEW.state.desk = self.parts.desk

    @bentoml.on_shutdown
    def close(self) -> None:
        """Stop following, finish the shadow scores and give the connections back."""
        self.resources.close()

    @bentoml.api(route="/score", input_spec=schemas.TransactionIn, output_spec=schemas.ScoreReply)
    async def score(self, request: Request) -> Response:
        """Decide one transaction: scored, explained and stored before the reply."""
        arrived_s = perf_counter()
        principal = await self.parts.auth.require(request.headers.get("authorization"), "score")
        body = await requests.read(request, schemas.TransactionIn)
        transaction = body.to_domain(requests.idempotency_key(request))
        lineup = await self.parts.models.lineup(principal.tenant_id)
        item = Item(principal.tenant_id, lineup, [transaction], arrived_s)
        (decided,) = await self.app.enqueue("score_batch", item)
        return replies.score_reply(decided, arrived_s)

    @bentoml.api(
        route="/score/batch", input_spec=schemas.BatchRequest, output_spec=schemas.BatchReply
    )
    async def score_many(self, request: Request) -> Response:
        """Decide up to 1000 transactions: all stored, or none."""
        arrived_s = perf_counter()
        principal = await self.parts.auth.require(request.headers.get("authorization"), "score")
        body = await requests.read(request, schemas.BatchRequest, requests.MAX_BATCH_BODY_BYTES)
        lineup = await self.parts.models.lineup(principal.tenant_id)
        item = Item(
            principal.tenant_id, lineup, [t.to_domain() for t in body.transactions], arrived_s
        )
        decisions: list[Decided] = await self.app.enqueue("bulk_batch", item)
        return replies.batch_reply(decisions, arrived_s)

    @bentoml.api(
        route="/explain", input_spec=schemas.ExplainRequest, output_spec=schemas.ExplainReply
    )
    async def explain(self, request: Request) -> Response:
        """Explain a transaction, or a stored prediction as it was decided."""
        arrived_s = perf_counter()
        principal = await self.parts.auth.require(
            request.headers.get("authorization"), "score", "review"
        )
        body = await requests.read(request, schemas.ExplainRequest)
        if body.prediction_id is not None:
            stored = await self._stored(principal.tenant_id, body.prediction_id)
            return replies.explain_reply(stored.prediction, str(stored.prediction_id), arrived_s)
        assert body.transaction is not None  # noqa: S101 - the schema takes exactly one
        lineup = await self.parts.models.lineup(principal.tenant_id)
        item = Item(principal.tenant_id, lineup, [body.transaction.to_domain()], arrived_s)
        (prediction,) = await self.app.enqueue("explain_batch", item)
        return replies.explain_reply(prediction, None, arrived_s)

    @bentoml.api(batchable=True, max_batch_size=MAX_BATCH_REQUESTS, max_latency_ms=SHED_AFTER_MS)
    def score_batch(self, items: list[Any]) -> list[Any]:
        """Decide one adaptive batch of /score requests."""
        answers: list[Answer] = self.parts.batches.score(items)
        return answers

    @bentoml.api(batchable=True, max_batch_size=MAX_BULK_REQUESTS, max_latency_ms=SHED_AFTER_MS)
    def bulk_batch(self, items: list[Any]) -> list[Any]:
        """Decide one adaptive batch of /score/batch requests."""
        answers: list[Answer] = self.parts.batches.score_bulk(items)
        return answers

    @bentoml.api(batchable=True, max_batch_size=MAX_BATCH_REQUESTS, max_latency_ms=SHED_AFTER_MS)
    def explain_batch(self, items: list[Any]) -> list[Any]:
        """Explain one adaptive batch of /explain requests."""
        answers: list[list[Prediction] | Exception] = list(self.parts.batches.explain(items))
        return answers

    async def readiness(self) -> Response:
        """Say whether this process can decide a payment now, and if not, why."""
        return await to_thread.run_sync(readiness.report, self.parts.engine, self.parts.models)

    async def _stored(self, tenant_id: int, prediction_id: UUID) -> Decided:
        return await to_thread.run_sync(read_decision, self.parts.engine, tenant_id, prediction_id)

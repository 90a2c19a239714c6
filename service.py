"""The BentoML service: every route, each one call into the packages below.

`bentoml serve service:Sentinel` serves it. `SentinelApp` (`app/bento.py`) calls `open` once; its
`FastPath` passes requests to `score`, `score_many` and `explain`. The three `*_batch` methods have
no route: `SentinelApp` passes them the items of an adaptive batch. docs/architecture.md follows a
/score from here to its reply.

`bentoml serve` imports this file twice: in its own process, which checks the settings and
supervises the workers, and in each worker. Only a worker calls `open`, so the packages that need
LightGBM, Numba and SQLAlchemy are imported there (docs/performance.md).
"""

from __future__ import annotations

import gc
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import bentoml
from bentoml.exceptions import BentoMLException
from starlette.requests import Request
from starlette.responses import Response

from app.import_blocker import UNUSED_PACKAGES, blocked_imports
from app.listening import explain_bind_errors
from app.service_class import SentinelService
from app.supervisor import prepare_supervisor
from app.usage_tracking import disable_usage_tracking
from observability.logging import set_up as set_up_log
from registry.client.factory import check_tracking_uri
from registry.client.proxies import reach_loopback_directly
from scoring import __version__
from sentinel.errors import sentence
from sentinel.local.database_url import check_database_url, database_url
from sentinel.settings import Settings
from serving import schemas

if TYPE_CHECKING:
    from app.bento import SentinelApp

disable_usage_tracking()

# Python's threshold of 700 objects takes 7 % of the CPU of 1000 rows, whose objects are freed by
# their reference counts, and 0.2 s of a start.
gc.set_threshold(50_000, 20, 50)

MAX_BATCH_REQUESTS = 256
MAX_BULK_REQUESTS = 2
"""Each holds up to 1000 rows; a larger batch would only delay its first caller."""
SHED_AFTER_MS = 5_000
"""BentoML rejects items when it estimates a longer wait. The estimate is too high, so this limit is
well above any latency target, and `max_concurrency` (429) bounds the load."""


@bentoml.service(
    name="sentinel",
    service_class=SentinelService,
    threads=4,
    traffic={"timeout": 10, "max_concurrency": 1024},
    # Spans for every request and the access log cost 0.6 of 0.8 ms CPU a request.
    tracing={"excluded_urls": ".*"},
    logging={"access": {"enabled": False}},
)
class Sentinel:
    """Fraud decisions with calibrated probabilities, exact reasons and a durable log."""

    def __init__(self) -> None:
        _set_up_log()

    @bentoml.on_deployment
    def check() -> None:
        """Check the settings and close the supervisor's ports, before a worker starts.

        Raises:
            BentoMLException: the service cannot start; one sentence with what to do, and with
                `bentoml serve --debug` a traceback.
        """
        try:
            _set_up_log()
            settings = Settings()
            settings.create_home()
            settings.resolve_key_secrets()
            _ = settings.openid
            check_tracking_uri(settings.tracking_uri)
            with database_url(settings) as url:
                check_database_url(url)
        except Exception as error:
            raise BentoMLException(sentence(error)) from error
        prepare_supervisor()
        explain_bind_errors()

    def open(self, app: SentinelApp) -> None:
        """Connect this worker to Postgres and the registry, and load the production models.

        Args:
            app: application of this process, which calls this once, before any request.
        """
        with blocked_imports(UNUSED_PACKAGES):
            import lightgbm  # noqa: F401
            import numba.np.arraymath  # noqa: F401
        from app.startup import connect
        from observability.admission_metrics import AdmissionMetrics
        from serving.endpoints import ScoringEndpoints

        reach_loopback_directly()
        settings = Settings()
        app.open_paths.docs = settings.docs
        app.open_paths.metrics = settings.metrics
        app.open_paths.metrics_token = settings.metrics_token
        self.resources = ExitStack()
        if settings.otlp_endpoint:
            self.resources.callback(app.traces.start(__version__))
        self.dependencies = connect(
            self.resources,
            database_url=self.resources.enter_context(database_url(settings)),
            tracking_uri=settings.tracking_uri,
            model_cache=settings.model_cache,
            key_secrets=settings.resolve_key_secrets(),
            models_in_memory=settings.models_in_memory,
            poll_seconds=settings.alias_poll_seconds,
            traces=app.traces,
            openid=settings.openid,
            public_url=settings.public_url,
            mlflow_public_url=settings.mlflow_link,
            proxies=settings.proxies,
            journal_dir=settings.journal_path,
            journal_max_bytes=settings.journal_max_bytes,
            journal_key_seconds=settings.journal_key_seconds,
        )
        app.rate_limits.follow(self.dependencies.alias_follower.limits)
        admission = app.admission
        self.dependencies.metrics.add(
            AdmissionMetrics(
                lambda: admission.in_flight, lambda: admission.limit, lambda: admission.refused
            )
        )
        self.endpoints = ScoringEndpoints(
            self.dependencies.engine,
            self.dependencies.auth,
            self.dependencies.alias_follower,
            self.dependencies.log,
            self.dependencies.store_checks,
            app.rate_limits,
            queue=app,
        )

    @bentoml.on_shutdown
    def close(self) -> None:
        """Stop following aliases, finish the shadow scores and close the connections."""
        self.resources.close()

    @bentoml.api(route="/score", input_spec=schemas.TransactionIn, output_spec=schemas.ScoreReply)
    async def score(self, request: Request) -> Response:
        """Score, explain and store one transaction, then reply with the decision."""
        return await self.endpoints.score(request)

    @bentoml.api(
        route="/score/batch", input_spec=schemas.BatchRequest, output_spec=schemas.BatchReply
    )
    async def score_many(self, request: Request) -> Response:
        """Decide up to 1000 transactions; Postgres stores all of them or none."""
        return await self.endpoints.score_many(request)

    @bentoml.api(
        route="/explain", input_spec=schemas.ExplainRequest, output_spec=schemas.ExplainReply
    )
    async def explain(self, request: Request) -> Response:
        """Explain a transaction, or a stored prediction as it was decided."""
        return await self.endpoints.explain(request)

    @bentoml.api(batchable=True, max_batch_size=MAX_BATCH_REQUESTS, max_latency_ms=SHED_AFTER_MS)
    def score_batch(self, items: list[Any]) -> Any:  # noqa: ANN401 - AnsweredBatch; BentoML declares lists
        """Decide one adaptive batch of /score requests."""
        return self.dependencies.batch_scorer.score(items)

    @bentoml.api(batchable=True, max_batch_size=MAX_BULK_REQUESTS, max_latency_ms=SHED_AFTER_MS)
    def bulk_batch(self, items: list[Any]) -> Any:  # noqa: ANN401 - AnsweredBatch; BentoML declares lists
        """Decide one adaptive batch of /score/batch requests."""
        return self.dependencies.batch_scorer.score_bulk(items)

    @bentoml.api(batchable=True, max_batch_size=MAX_BATCH_REQUESTS, max_latency_ms=SHED_AFTER_MS)
    def explain_batch(self, items: list[Any]) -> Any:  # noqa: ANN401 - AnsweredBatch; BentoML declares lists
        """Explain one adaptive batch of /explain requests."""
        return self.dependencies.batch_scorer.explain(items)

    def __metrics__(self, bentoml_metrics: str) -> str:
        """Return BentoML's metrics followed by those that are read at each scrape."""
        return bentoml_metrics + self.dependencies.metrics.exposition()

    async def readiness(self) -> Response:
        """Return 200 when this process can decide a payment now, else 503 with the reason."""
        return await self.endpoints.readiness()


def _set_up_log() -> None:
    settings = Settings()
    set_up_log(settings.log_format, settings.log_level)

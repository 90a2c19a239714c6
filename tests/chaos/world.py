"""The processes of a run: Postgres behind a proxy, MLflow and the service, with their tenants."""

from __future__ import annotations

import random
import signal
import socket
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

import httpx
import psutil
from sqlalchemy import Engine

from persistence.api_keys import issue_key
from persistence.engine import open_database
from persistence.tenants import create_tenant, set_journal
from registry.names import PRODUCTION
from scoring.model.fraud_model import FraudModel
from sentinel.local.mlflow_server import MlflowServer
from tests.chaos.disk import SmallDisk
from tests.chaos.payments import CARDS, FEATURES, PROBES, TENANTS, Payments, RunTenant
from tests.support.data.own_events import put_in_force
from tests.support.factories import a_model
from tests.support.own_models import a_model_of, features_of
from tests.support.paths import PROJECT
from tests.support.postgres.own_server import OwnServer
from tests.support.postgres.proxy import Proxy
from tests.support.releases.code import ReleasedCode, released_code
from tests.support.stack import KEY_SECRET, Publish, Service, logged_in, publisher, serving
from tools import faketime

VERSIONS = 2
"""Model versions of each tenant, between which the alias moves."""
_POSTGRES_MB, _JOURNAL_MB = 4096, 64
_READY_S = 180.0


class World:
    """Everything that a run needs, started; use as a context manager.

    Args:
        home: empty folder that every user may enter, of what the processes keep.

    Attributes:
        port: port of the service.
        keys: key with the scopes score, review and admin, by tenant.
        tenant_ids: number of each tenant in the database.
        server: Postgres.
        proxy: proxy between the service and Postgres.
        postgres_disk: disk of Postgres.
        journal_disk: disk of the service's journal.
        clock: file that the service's clock follows, such as `+60`; None where it cannot be moved.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self._stack = ExitStack()
        self._serving = ExitStack()
        self._starts = 0
        self.port = _free_port()
        self.keys: dict[str, str] = {}
        self.tenant_ids: dict[str, int] = {}

    def __enter__(self) -> World:
        """Start everything, and wait until every tenant is served."""
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End everything that was started."""
        self._stack.close()

    def _start(self) -> None:
        self.postgres_disk = SmallDisk(self.home / "postgres", _POSTGRES_MB, self._stack)
        self.journal_disk = SmallDisk(self.home / "journal", _JOURNAL_MB, self._stack)
        self.server = OwnServer(self.postgres_disk.path)
        self._stack.callback(self.server.stop)
        self.server.execute("ALTER SYSTEM SET max_wal_size = '128MB'")
        self.server.execute("SELECT pg_reload_conf()")
        self.proxy = self._stack.enter_context(Proxy(self.server.url))
        self._mlflow_home, self._mlflow_port = self.home / "mlflow", _free_port()
        self.start_mlflow()
        self._stack.callback(lambda: self._mlflow.stop())
        self._stack.enter_context(logged_in(self._mlflow))
        self.tracking_uri = self._mlflow.url
        (self.home / "earlier").mkdir()
        self.earlier: ReleasedCode = released_code(
            self.home / "earlier", self.proxy.url, self.tracking_uri
        )
        self.clock = self._prepare_clock()
        owner = open_database(self.server.url)
        publish = publisher(self.tracking_uri, self.home)
        for tenant in TENANTS:
            self._create(owner, publish, tenant)
        owner.dispose()
        self._stack.callback(self.stop_service)
        self.start_service()
        self.wait_until_served()

    def _create(self, owner: Engine, publish: Publish, tenant: RunTenant) -> None:
        created = create_tenant(owner, tenant.slug, tenant.model)
        self.tenant_ids[tenant.slug] = created.id
        if tenant.own_type:
            put_in_force(owner, created, CARDS)
        if tenant.journal:
            set_journal(owner, tenant.slug, True)
        for version in range(1, VERSIONS + 1):
            alias = PRODUCTION if version == 1 else None
            assert publish(tenant.model, _model(tenant, version), alias=alias) == version
        scopes = ("score", "review", "admin")
        self.keys[tenant.slug] = issue_key(owner, created.id, scopes, KEY_SECRET)

    def _prepare_clock(self) -> Path | None:
        if faketime.find() is None:
            return None
        clock = self.home / "clock"
        clock.write_text("+0\n")
        return clock

    @property
    def journal(self) -> Path:
        """Folder of the service's journals."""
        return self.journal_disk.path / "journal"

    @property
    def url(self) -> str:
        """Address of the service."""
        return f"http://127.0.0.1:{self.port}"

    def start_service(self, *, earlier: bool = False) -> None:
        """Start the service, of this release or of the earlier one; it accepts requests then."""
        home = self.home / ("earlier-service" if earlier else "service")
        home.mkdir(exist_ok=True)
        self._starts += 1
        if (log := home / "service.log").exists():
            log.rename(home / f"service-{self._starts}.log")
        environment = {"SENTINEL_JOURNAL_DIR": str(self.journal)}
        if self.clock is not None:
            environment |= {
                "LD_PRELOAD": str(faketime.find()),
                "FAKETIME_TIMESTAMP_FILE": str(self.clock),
                "FAKETIME_CACHE_DURATION": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "NO_FAKE_STAT": "1",
            }
        if earlier:
            environment = {}
        running = serving(
            self.proxy.url,
            self.tracking_uri,
            home,
            self.port,
            directory=self.earlier.directory if earlier else PROJECT,
            start_s=_READY_S,
            **environment,
        )
        self.service: Service = self._serving.enter_context(running)

    def stop_service(self) -> None:
        """Stop the service with SIGTERM, so that it ends its requests first."""
        self._serving.close()

    def kill_service(self) -> None:
        """Kill the service with all its processes at once, as a node that loses its power does."""
        for process in self._family():
            with suppress(psutil.Error):
                process.kill()
        self._serving.close()

    def signal_workers(self, number: signal.Signals) -> None:
        """Send a signal to the worker, which is the supervisor's child."""
        for process in self._family()[1:]:
            with suppress(psutil.Error):
                process.send_signal(number)

    def _family(self) -> list[psutil.Process]:
        supervisor = psutil.Process(self.service.child.identity[0])
        return [supervisor, *supervisor.children(recursive=True)]

    def start_mlflow(self) -> None:
        """Start MLflow with what it had stored."""
        self._mlflow = MlflowServer(self._mlflow_home, self._mlflow_port)
        self._mlflow.wait_until_ready()

    def signal_mlflow(self, number: signal.Signals) -> None:
        """Send a signal to every process of MLflow."""
        parent = psutil.Process(self._mlflow.child.identity[0])
        for process in (parent, *parent.children(recursive=True)):
            with suppress(psutil.Error):
                process.send_signal(number)

    def kill_mlflow(self) -> None:
        """Kill MLflow."""
        self.signal_mlflow(signal.SIGKILL)
        self._mlflow.stop()

    def move_alias(self, tenant: RunTenant, version: int) -> None:
        """Put a version of a tenant in production, unless MLflow is away."""
        # MLflow's own client repeats a request for minutes.
        login = self._mlflow.login
        with suppress(httpx.HTTPError):
            httpx.post(
                f"{self.tracking_uri}/api/2.0/mlflow/registered-models/alias",
                json={"name": tenant.model, "alias": PRODUCTION, "version": str(version)},
                auth=(login.user, login.password),
                timeout=3,
                trust_env=False,
            )

    def waiting_in_journal(self) -> int | None:
        """Return how many decisions wait in the journal; None while the service does not say."""
        with suppress(httpx.HTTPError, ValueError, KeyError):
            ready = httpx.get(f"{self.url}/readyz", timeout=5, trust_env=False).json()
            return int(ready["journal"]["waiting"])
        return None

    def wait_until_served(self) -> None:
        """Wait until a payment of every tenant is decided and the journal is empty."""
        for tenant in TENANTS:
            self.wait_until_tenant_is_served(tenant)
        self.service.child.wait_until(lambda: self.waiting_in_journal() == 0, _READY_S)

    def wait_until_tenant_is_served(self, tenant: RunTenant) -> None:
        """Wait until a payment of a tenant is decided."""
        self.service.child.wait_until(partial(self._serves, tenant), _READY_S)

    def _serves(self, tenant: RunTenant) -> bool:
        body = Payments(0, tenant.own_type, PROBES).next(external_id=False)
        headers = {"Authorization": f"Bearer {self.keys[tenant.slug]}"}
        with suppress(httpx.HTTPError):
            reply = httpx.post(
                f"{self.url}/score", json=body, headers=headers, timeout=10, trust_env=False
            )
            return reply.status_code == 200
        return False


def _model(tenant: RunTenant, version: int) -> FraudModel:
    if tenant.own_type:
        return a_model_of(features_of(FEATURES, CARDS), seed=version + 10 * len(tenant.slug))
    return a_model(seed=version, threshold=0.02 * version)


def _free_port() -> int:
    """Return a port that Linux gives to no outgoing connection, so it stays free."""
    while True:
        port = random.randrange(20_000, 32_000)  # noqa: S311 - any will do
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port

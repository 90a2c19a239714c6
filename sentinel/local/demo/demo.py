"""`sentinel demo`: the whole system on one machine, from training to scored transactions.

It starts Postgres, MLflow and the service, makes a tenant with a key, and trains and promotes a
model. Data of an earlier run is used again.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
from sqlalchemy import Engine

from persistence.engine import OPERATOR_TIMEOUT_S, open_database
from persistence.maintenance import migrate
from registry.client.base import RegisteredVersion
from registry.client.rest_client import RestClient
from registry.names import PRODUCTION, model_name
from scoring.counted import counted
from scoring.transaction import PAYSIM
from sentinel.local.demo import (
    given_data,
    own_samples,
    people,
    samples,
    state,
    summary,
    tenant,
    training_run,
)
from sentinel.local.demo.errors import DemoError
from sentinel.local.demo.fortnight import places, ring
from sentinel.local.demo.fortnight.filling import FillContext, fill
from sentinel.local.demo.fortnight.past import Connections, Past
from sentinel.local.demo.payments import Payment
from sentinel.local.demo.promotion import promote
from sentinel.local.mlflow_server import MlflowServer
from sentinel.local.postgres.embedded import EmbeddedPostgres
from sentinel.local.processes import Child, Ledger, check_port
from sentinel.local.terminal import console, step
from sentinel.settings import Settings

_FREE_BYTES = 1_000_000_000
_SERVICE_SECONDS = 90.0
_PASSWORD = "SENTINEL_DEMO_PASSWORD"  # noqa: S105 - the variable's name
"""Variable of the demo's settings with the password of its people."""


class Demo:
    """One run; the exit stack stops what it starts, in reverse order."""

    def __init__(
        self,
        settings: Settings,
        data: Path | None,
        label: str | None,
        time_column: str | None,
        port: int,
        mlflow_port: int,
        stack: ExitStack,
    ) -> None:
        """Check everything that can be checked before the first program starts.

        Args:
            settings: settings of the installation.
            data: file that the model is trained on; None: the simulator.
            label: column of the file's labels; None: it is in the PaySim schema.
            time_column: column of the events' times; None: the most likely one.
            port: port of the service.
            mlflow_port: port of MLflow.
            stack: exit stack that stops the programs.

        Raises:
            DemoError, DemoRunning, ProcessError, TrainingError: it cannot run here; the message
                gives the reason.
        """
        self._home = settings.home_path
        self._data = data.expanduser().resolve() if data else None
        self._port = port
        self._stack = stack
        self._url = f"http://127.0.0.1:{port}"
        given = given_data.check(self._home, data, label, time_column)
        self._own, self._about = given.own, given.about
        trained_on = state.trained_on(self._home)
        self._is_other_data = self._data is not None and trained_on != self._about
        if self._data is None and trained_on and "changing" in trained_on:
            raise DemoError(
                "An earlier run was stopped while it changed the demo to other data: name the file "
                "again with DATA, or forget everything with `make clean`."
            )
        if port == mlflow_port:
            raise DemoError(f"PORT and MLFLOW_PORT are both {port}; they have to differ.")
        stack.enter_context(state.only_demo(self._home, self._url))
        self._ledger = Ledger(self._home / "demo.processes.json")
        stack.callback(self._ledger.end_leftovers)
        self._ledger.end_leftovers()
        free = shutil.disk_usage(self._home).free
        if free < _FREE_BYTES:
            raise DemoError(
                f"The disk that holds {self._home} has {free // 1_000_000} MB free and the demo "
                f"needs {_FREE_BYTES // 1_000_000} MB."
            )
        check_port(port, "PORT", "the service")
        check_port(mlflow_port, "MLFLOW_PORT", "MLflow")
        self._mlflow_port = mlflow_port
        self._key_secrets = settings.resolve_key_secrets()
        self._environment_file = self._home / "demo.env"
        self._postgres = EmbeddedPostgres(self._home)
        self._children: list[Child] = []
        self._refusal = ""
        self._is_new = False

    def prepare(self) -> None:
        """Start everything, make the tenant and its key, and promote a model.

        The service starts before there is a model: its imports run beside MLflow and the training,
        and it loads the version when the alias is set.
        """
        if self._own:
            path = _for_a_shell(self._own.keep(self._home))
            for note in self._own.notes(path) if self._is_other_data else ():
                console.print(note)
            self._own.require_features()
        with step("Starting Postgres, MLflow and the service"):
            self._stack.callback(self._postgres.release)
            mlflow = self._mlflow = MlflowServer(self._home, self._mlflow_port)
            self._keep_running(mlflow.child)
            self._database_url = self._postgres.start()
            migrate.upgrade(self._database_url)
            kept = state.read_environment(self._environment_file)
            with self._database() as engine:
                self._key = tenant.tenant_and_key(
                    engine, self._key_secrets, kept.get("SENTINEL_API_KEY", "")
                )
                self._password = people.people_and_password(engine, kept.get(_PASSWORD, ""))
            environment = {
                "SENTINEL_URL": self._url,
                "SENTINEL_API_KEY": self._key,
                "MLFLOW_TRACKING_URI": mlflow.url,
                **mlflow.login.environment,
                "DATABASE_URL": self._database_url,
                "SENTINEL_KEY_SECRET": self._key_secrets[0].decode(),
                _PASSWORD: self._password,
            }
            state.write_environment(self._environment_file, environment)
            self._service = self._start_service()
            mlflow.wait_until_ready()
        self._payments: list[Payment] = []
        registry = RestClient(mlflow.url_with_login)
        name = model_name(tenant.TENANT)
        version = registry.resolve(name, PRODUCTION)
        self._is_new = version is None
        if not version or self._is_other_data:
            training_run.train(
                self._child_environment(),
                self._home,
                self._data,
                version,
                is_own=self._own is not None,
            )
            with self._database() as engine:
                self._began = datetime.now(UTC)
                now = self._began if self._is_new else None
                if self._own:
                    self._payments = tenant.send_own_events(engine, self._home, self._own, now=now)
                else:
                    tenant.send_paysim(engine, self._home)
                    self._payments = ring.with_a_ring(now) if now else []
            # After the event type: a poll of the service reads the types before the versions.
            version = promote(registry, mlflow, name)
            state.remember_data(self._home, self._about)
        if self._payments:
            # Its imports run beside the service's first load of the version.
            self._past = self._start_past()
        self._version = version

    def serve(self) -> None:
        """Wait until the service decides with the version in production.

        Where it refuses that version and decides with an earlier one, print why and go on, so that
        another version can be promoted.
        """
        service, version = self._service, self._version
        with step(
            f"Waiting until the service decides with {version.name} version {version.version}"
        ):
            service.wait_until(
                lambda: service.listens_on(self._port) and self._decides(version), _SERVICE_SECONDS
            )
        if self._refusal:
            console.print(
                f"{version.name} {self._refusal} The service decides with the version before; "
                f"`python -m training promote --tenant {tenant.TENANT} --version N --force` puts "
                "another one into production.",
                style="yellow",
            )

    def show(self) -> None:
        """Score payments and the samples, and print the addresses of everything."""
        environment_file = _for_a_shell(self._environment_file)
        is_own = "label" in (state.trained_on(self._home) or {})
        scored = own_samples.kept(self._home) if is_own else samples.SAMPLES
        headers = {"Authorization": f"Bearer {self._key}"}
        with httpx.Client(
            base_url=self._url, headers=headers, timeout=30, trust_env=False
        ) as client:
            if self._payments:
                self._fill(client)
            elif places.is_partial(self._home):
                console.print(
                    "The fortnight was interrupted while it was filled in, and stays as it is: "
                    "`make clean`, then `make demo`, makes a whole one.",
                    style="yellow",
                )
            summary.show_samples(client, scored)
        console.print(f"\nScore {'them' if is_own else 'one'} again", style="bold")
        for sample in scored if is_own else scored[2:3]:
            console.print(samples.curl(environment_file, sample))
        with self._database() as engine:
            link = people.sign_in_link(engine, self._url)
        login = f"user {self._mlflow.login.user}, password {self._mlflow.login.password}"
        mlflow = self._mlflow.url, login
        summary.show_addresses(self._url, link, self._password, mlflow, places.kept(self._home))

    def _fill(self, client: httpx.Client) -> None:
        """Fill the console with the payments of a fortnight, and keep where to look."""
        own = self._own
        with closing(self._past), self._database(connections=2) as engine:
            stage = FillContext(
                self._url,
                client,
                engine,
                self._past,
                self._password,
                own.event_type if own else PAYSIM,
                self._began,
                RestClient(self._mlflow.url_with_login),
            )
            places.begin(self._home)
            try:
                places.keep(self._home, fill(stage, self._payments))
            except httpx.HTTPError as error:
                reason = samples.reason(error)
                raise DemoError(f"The service did not take the fortnight: {reason}") from error

    def watch(self) -> None:
        """Check the programs until interrupted.

        Raises:
            ProcessError: a program has ended.
        """
        while True:
            for child in self._children:
                child.check()
            self._postgres.check()
            time.sleep(0.5)

    @contextmanager
    def _database(self, connections: int = 1) -> Iterator[Engine]:
        engine = open_database(
            self._database_url, pool_size=connections, statement_timeout_s=OPERATOR_TIMEOUT_S
        )
        try:
            yield engine
        finally:
            engine.dispose()

    def _keep_running(self, child: Child) -> None:
        self._stack.callback(child.stop)
        self._children.append(child)
        self._ledger.write(self._children)

    def _start_service(self) -> Child:
        command = [
            *(sys.executable, "-m", "bentoml", "serve", "service:Sentinel"),
            *("--host", "127.0.0.1", "--port", str(self._port)),
        ]
        child = Child(
            "The service",
            command,
            log=self._home / "logs" / "service.log",
            environment=self._child_environment(),
            directory=training_run.PROJECT,
        )
        self._keep_running(child)
        return child

    def _start_past(self) -> Past:
        connections = Connections(
            database_url=self._database_url,
            tracking_uri=self._mlflow.url_with_login,
            model_cache=str(self._home / "models"),
            key_secrets=[secret.decode() for secret in self._key_secrets],
            key=self._key,
        )
        past = Past(connections, self._home / "logs" / "past.log", self._child_environment())
        self._stack.callback(past.close)
        return past

    def _child_environment(self) -> dict[str, str]:
        return {
            # A person reads the log at this terminal.
            "SENTINEL_LOG_FORMAT": "text",
            **os.environ,
            "DATABASE_URL": self._database_url,
            "MLFLOW_TRACKING_URI": self._mlflow.url,
            **self._mlflow.login.environment,
            "SENTINEL_HOME": str(self._home),
            "SENTINEL_KEY_SECRET": self._key_secrets[0].decode(),
            # Relative, since BentoML expands variables in it, and the path may have a `$`.
            "BENTOML_HOME": os.path.relpath(self._home / "bentoml", training_run.PROJECT),
        }

    def _decides(self, version: RegisteredVersion) -> bool:
        """Whether the service decides with the version, or with another one in its place."""
        try:
            reply = httpx.get(f"{self._url}/readyz", timeout=5, trust_env=False)
        except httpx.HTTPError:
            return False
        if not reply.is_success:
            return False
        ready = reply.json()
        fault = ready["faults"].get(version.name, "")
        self._refusal = fault if fault.startswith(f"version {version.version} is refused") else ""
        served = ready["models"].get(version.name)
        return served == version.version or bool(served and self._refusal)


def _for_a_shell(path: Path) -> str:
    """Return a path relative to the working directory that `.` of a shell does not look up."""
    relative = os.path.relpath(path)
    return relative if os.sep in relative else os.path.join(os.curdir, relative)  # noqa: PTH118


def stop_leftovers(home: Path) -> list[str]:
    """Stop the programs that a killed demo has left running; return what they were, in words.

    Args:
        home: existing directory of this installation's state.

    Raises:
        DemoRunning: the demo is still running.
        EmbeddedPostgresError: the demo's Postgres cannot be stopped.
    """
    with state.only_demo(home, "stopping"):
        ended = Ledger(home / "demo.processes.json").end_leftovers()
        stopped = [f"{counted(ended, 'program')} of a demo"] if ended else []
        return [*stopped, "its Postgres"] if EmbeddedPostgres(home).stop() else stopped

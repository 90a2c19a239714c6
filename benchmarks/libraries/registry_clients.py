"""Compare clients of MLflow's registry: ours over HTTP, and mlflow-skinny's."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.libraries.alias_polls import CLIENTS
from benchmarks.libraries.timing import Samples, show
from benchmarks.load.testbed import child_environment, free_port
from sentinel.local.mlflow_server import MlflowServer

_PROJECT = Path(__file__).parents[2]
_FOOTPRINT = ("first poll [ms]", "its CPU [ms]", "import [ms]", "import [MB]", "after a poll [MB]")


def compare(python: str, models: int, rounds: int) -> None:
    """Print the time and memory of each client in a process, alone and beside the service.

    Args:
        python: interpreter with serving.lock and mlflow-skinny.
        models: number of registered models.
        rounds: number of new processes of each client, and half the number of later polls.
    """
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        _register(home, models)
        server = MlflowServer(home, free_port())
        try:
            server.wait_until_ready()
            for before in ("", "service"):
                footprint: dict[str, Samples] = {name: {} for name in _FOOTPRINT}
                for _ in range(rounds):
                    for client in CLIENTS:
                        with _polls(python, client, server.url_with_login, models, before) as child:
                            for name, value in zip(_FOOTPRINT, _poll(child), strict=True):
                                footprint[name].setdefault(client, []).append(value)
                for name, samples in footprint.items():
                    show(
                        f"{'beside the service' if before else 'alone'}: {name}",
                        samples,
                        "new process",
                    )
            _compare_later_polls(python, server.url_with_login, models, rounds)
        finally:
            server.stop()


def _compare_later_polls(python: str, uri: str, models: int, rounds: int) -> None:
    wall: Samples = {client: [] for client in CLIENTS}
    cpu: Samples = {client: [] for client in CLIENTS}
    with ExitStack() as stack:
        children = {
            client: stack.enter_context(_polls(python, client, uri, models, ""))
            for client in CLIENTS
        }
        for round_ in range(-2, 2 * rounds):
            for client, child in children.items():
                wall_ms, cpu_ms, *_ = _poll(child)
                if round_ >= 0:
                    wall[client].append(wall_ms)
                    cpu[client].append(cpu_ms)
    show(f"a later poll of {models} models", wall, "ms")
    show("the client's CPU in it", cpu, "ms")


@contextmanager
def _polls(
    python: str, client: str, uri: str, models: int, before: str
) -> Iterator[subprocess.Popen[str]]:
    command = [python, "-W", "ignore", "-m", "benchmarks.libraries.alias_polls"]
    child = subprocess.Popen(  # noqa: S603
        [*command, client, uri, str(models), before],
        env=child_environment(PYTHONPATH=str(_PROJECT), MLFLOW_DISABLE_TELEMETRY="true"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield child
    finally:
        child.communicate()


def _poll(child: subprocess.Popen[str]) -> list[float]:
    if child.stdin is None or child.stdout is None:
        raise ValueError("the child has no pipes")
    child.stdin.write("\n")
    child.stdin.flush()
    measured: list[float] = json.loads(child.stdout.readline())
    return measured


def _register(home: Path, models: int) -> None:
    """Write models of two versions into the server's database.

    Each has `production` on its latest version, and half have `challenger` on the older one.
    """
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

    store = SqlAlchemyStore(f"sqlite:///{home / 'mlflow.db'}")
    for i in range(models):
        name = f"m-{i}"
        store.create_registered_model(name)
        for _ in range(2):
            store.create_model_version(name, str(home / "mlartifacts" / name))
        store.set_registered_model_alias(name, "production", "2")
        if i % 2:
            store.set_registered_model_alias(name, "challenger", "1")

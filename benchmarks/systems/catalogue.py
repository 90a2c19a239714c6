"""The systems that are compared: description, launch and wire format of each."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from benchmarks.load import payloads
from benchmarks.load.payloads import Wire
from benchmarks.load.testbed import PROJECT, Testbed, child_environment, free_port
from benchmarks.models import Prepared

ONE_THREAD = {"OMP_NUM_THREADS": "1"}
# MLServer 1.7.1 gets the running event loop in a way that uvloop 0.22 does not support.
MLSERVER = ("mlserver==1.7.1", "mlserver-lightgbm==1.7.1", "uvloop<0.22")


@dataclass(frozen=True, slots=True)
class Launch:
    """The command, environment and port of one server.

    Attributes:
        command: command line of the process.
        environment: environment of the process.
        port: port that it listens on.
        ready: path that returns 200 when the server can score.
        directory: working directory of the process.
        headers: headers of every request.
    """

    command: list[str]
    environment: dict[str, str]
    port: int
    ready: str
    directory: Path = PROJECT
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class System:
    """A system that is measured.

    Attributes:
        about: description for the report.
        wire: routes and request bodies of the system.
        launch: function that prepares the system for a model and returns its launch.
        is_sentinel: whether it is the service, in some configuration.
        main: whether it is measured with every model and with batches; else only /score with the
            first model.
    """

    about: str
    wire: Wire
    launch: Callable[[Testbed, Prepared], Launch]
    is_sentinel: bool = False
    main: bool = False


def _sentinel(target: str = "service:Sentinel", workers: int = 1) -> Callable[..., Launch]:
    def launch(testbed: Testbed, model: Prepared) -> Launch:
        name = f"{target.split(':')[0].split('.')[-1]}_{workers}_{model.size}"
        database, key = testbed.tenant(f"bench_{name}", model.registered)
        port = free_port()
        return Launch(
            [
                *(testbed.service_python, "-m", "bentoml", "serve", target),
                *("--host", "127.0.0.1", "--port", str(port)),
            ],
            testbed.service_environment(name, database, workers),
            port,
            "/readyz",
            headers={"Authorization": f"Bearer {key}"},
        )

    return launch


def _reference(threads: Mapping[str, str]) -> Callable[..., Launch]:
    def launch(testbed: Testbed, model: Prepared) -> Launch:
        port = free_port()
        name = f"bench_reference{'_one_thread' if threads else ''}_{model.size}"
        return Launch(
            [
                *(sys.executable, "-m", "benchmarks.systems.reference", "--port", str(port)),
                *("--classifier", str(model.classifier)),
            ],
            child_environment(DATABASE_URL=testbed.database(name), **threads),
            port,
            "/health",
        )

    return launch


def _insert_only(*, stores: bool) -> Callable[..., Launch]:
    def launch(testbed: Testbed, _model: Prepared) -> Launch:
        port = free_port()
        command = [sys.executable, "-m", "benchmarks.systems.insert_only", "--port", str(port)]
        more = {"DATABASE_URL": testbed.database("bench_insert_only")} if stores else {}
        return Launch(command, child_environment(**more), port, "/health")

    return launch


def _mlserver(testbed: Testbed, model: Prepared) -> Launch:
    binaries = testbed.environment("mlserver", MLSERVER)
    folder = testbed.home / "mlserver" / model.size
    folder.mkdir(parents=True, exist_ok=True)
    settings = {
        "name": "fraud",
        "implementation": "mlserver_lightgbm.LightGBMModel",
        "parameters": {"uri": str(model.booster), "version": "1"},
        # The service's own bound, and a wait that a single client does not notice much.
        "max_batch_size": 256,
        "max_batch_time": 0.001,
    }
    (folder / "model-settings.json").write_text(json.dumps(settings))
    port = free_port()
    ports = {"HTTP": port, "GRPC": free_port(), "METRICS": free_port()}
    return Launch(
        [str(binaries / "mlserver"), "start", str(folder)],
        child_environment(
            MLSERVER_HOST="127.0.0.1",
            MLSERVER_DEBUG="false",
            **{f"MLSERVER_{kind}_PORT": str(number) for kind, number in ports.items()},
            **ONE_THREAD,
        ),
        port,
        "/v2/models/fraud/ready",
        directory=folder,
    )


def _mlflow(testbed: Testbed, model: Prepared) -> Launch:
    packages = ("mlflow", "lightgbm", "numba", "numpy", "pandas", "scipy")
    binaries = testbed.environment("mlflow", [f"{name}=={version(name)}" for name in packages])
    port = free_port()
    return Launch(
        [
            *(str(binaries / "mlflow"), "models", "serve", "--model-uri", str(model.artifacts)),
            *("--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)),
        ],
        child_environment(
            MLFLOW_DISABLE_TELEMETRY="true", PATH=f"{binaries}:/usr/bin:/bin", **ONE_THREAD
        ),
        port,
        "/health",
        directory=testbed.home,
    )


SYSTEMS: Mapping[str, System] = {
    "sentinel": System(
        "the service, one worker", payloads.SENTINEL, _sentinel(), is_sentinel=True, main=True
    ),
    "sentinel_2_workers": System(
        "the service, two workers", payloads.SENTINEL, _sentinel(workers=2), is_sentinel=True
    ),
    "sentinel_unbatched": System(
        "the service without adaptive batching",
        payloads.SENTINEL,
        _sentinel("benchmarks.systems.unbatched:Sentinel"),
        is_sentinel=True,
    ),
    "sentinel_on_threads": System(
        "the service with a single request on a worker thread, as batches are",
        payloads.SENTINEL,
        _sentinel("benchmarks.systems.worker_threads:Sentinel"),
        is_sentinel=True,
    ),
    "sentinel_stock_wait": System(
        "the service with BentoML's own rule for how long a batch waits",
        payloads.SENTINEL,
        _sentinel("benchmarks.systems.bentoml_batch_wait:Sentinel"),
        is_sentinel=True,
    ),
    "reference": System(
        "FastAPI, pandas, scikit-learn, shap and an ORM",
        payloads.SENTINEL,
        _reference({}),
        main=True,
    ),
    "reference_one_thread": System(
        "the same with one LightGBM thread", payloads.SENTINEL, _reference(ONE_THREAD), main=True
    ),
    "mlserver": System(
        "MLServer with its adaptive batching; no features, reasons or storage",
        payloads.MLSERVER,
        _mlserver,
        main=True,
    ),
    "mlflow": System(
        "mlflow models serve; no reasons or storage", payloads.MLFLOW, _mlflow, main=True
    ),
    "insert_only": System(
        "one INSERT and COMMIT, a constant reply", payloads.SENTINEL, _insert_only(stores=True)
    ),
    "constant_reply": System("a constant reply", payloads.SENTINEL, _insert_only(stores=False)),
}

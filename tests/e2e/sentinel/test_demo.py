"""`sentinel demo` trains, promotes, serves, and stops every process that it started.

It runs in a checkout whose path has every character that a shell, an ini file, a URI, a list of
Postgres or Rich's markup would interpret.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
import psutil
import psycopg
import pyarrow.parquet as pq
import pytest

from scoring.feature_set.model_features import ModelFeatures
from sentinel.command_actor import os_user
from sentinel.event_type_file import read_event_type
from sentinel.local.demo import own_samples
from sentinel.local.demo.state import read_environment, write_environment
from sentinel.local.postgres.embedded import EmbeddedPostgres
from tests.support.docs_runner import README, blocks
from tests.support.event_files import write_csv
from tests.support.factories import a_body
from tests.support.other_user import commands, connects, family, listening, opens
from tests.support.paths import PROJECT
from training.data.loading import COLUMNS
from training.data.simulator import simulate
from training.event_types.training_data import own_events
from training.features.suggest import suggest

pytestmark = pytest.mark.timeout(420)

UP = "Ctrl-C stops everything."
MLFLOW_PATHS = (
    "/",
    "/api/2.0/mlflow/registered-models/search",
    "/api/2.0/mlflow/registered-models/alias",
    "/api/2.0/mlflow/experiments/create",
    "/ajax-api/2.0/mlflow/experiments/search",
    "/ajax-api/3.0/mlflow/assistant/config",
    "/ajax-api/3.0/jobs/1",
    "/model-versions/get-artifact",
    "/get-artifact",
    "/gateway/chat/completions",
    "/v1/traces",
    "/graphql",
    "/docs",
)
PARTS = (
    *("app", "api", "observability", "persistence", "registry", "scoring", "sentinel", "serving"),
    *("training", "web", "service.py", "pyproject.toml"),
)
"""What of the checkout the demo needs."""
AWKWARD = "ü 50%20 'q' \"d\" #x [bold] $HOME `id`, &"


@dataclass
class Machine:
    """A checkout with a home and ports of its own, and the commands one types there."""

    checkout: Path
    port: int
    mlflow_port: int
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def home(self) -> Path:
        return self.checkout / ".sentinel"

    def start(self, command: str, **environment: str) -> subprocess.Popen[str]:
        """Run `sentinel <command>` without waiting."""
        process = subprocess.Popen(
            [str(self.checkout / ".venv/bin/python"), "-m", "sentinel", command],
            cwd=self.checkout,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            env={
                **{key: value for key, value in os.environ.items() if key != "DATABASE_URL"},
                "PYTHONUNBUFFERED": "1",
                "SENTINEL_HOME": str(self.home),
                "PORT": str(self.port),
                "MLFLOW_PORT": str(self.mlflow_port),
                **environment,
            },
        )
        self.started.append(process)
        return process

    def run(self, command: str, **environment: str) -> tuple[int, str]:
        """Run `sentinel <command>` to its end; its status and its whole output."""
        process = self.start(command, **environment)
        output = process.communicate(timeout=120)[0]
        return process.returncode, output

    def demo(self, **environment: str) -> tuple[subprocess.Popen[str], str]:
        """Run the demo until it serves; it and its output until then."""
        process = self.start("demo", **environment)
        output = ""
        for line in process.stdout or ():
            output += line
            if UP in line:
                return process, output
        raise AssertionError(f"the demo ended with {process.wait()}:\n{output}")

    def stop(
        self, process: subprocess.Popen[str], number: int = signal.SIGINT
    ) -> tuple[int, list[str]]:
        """Signal the demo and wait for its end; its status and its last lines."""
        process.send_signal(number)
        output = process.communicate(timeout=60)[0]
        return process.returncode, [line for line in output.splitlines()[-2:] if line]

    def processes(self) -> list[str]:
        """Every living process that was started for this home."""
        mark = str(self.home)
        collected = []
        for process in psutil.process_iter():
            try:
                if process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                    environment = process.environ()
                    if environment.get("SENTINEL_HOME") == mark or mark in process.cmdline():
                        collected.append(" ".join(process.cmdline()))
            except psutil.Error:
                continue
        return collected


@pytest.fixture(scope="module")
def machine(free_port: Callable[[], int]) -> Iterator[Machine]:
    # Not tmp_path_factory: as root, Postgres runs as another user, and each pytest session that
    # starts closes the folder above to others again.
    with tempfile.TemporaryDirectory(prefix="sentinel-") as directory:
        checkout = Path(directory) / AWKWARD
        checkout.mkdir()
        for part in PARTS:
            # With its times and __pycache__, so that nothing is compiled again.
            subprocess.run(["cp", "-a", PROJECT / part, checkout], check=True)
        (checkout / ".venv").symlink_to(sys.prefix)
        machine = Machine(checkout, free_port(), free_port())
        yield machine
        for process in machine.started:
            if process.poll() is None:
                process.kill()
                process.communicate()
        machine.run("stop")
        EmbeddedPostgres(machine.home).stop()
        assert [path.name for path in Path(directory).iterdir()] == [AWKWARD], "nothing beside it"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp(AWKWARD) / "[link]100% $x month.parquet"
    pq.write_table(simulate(60_000, seed=5), path)
    return path


@pytest.fixture(scope="module")
def first_run(machine: Machine, data: Path) -> tuple[subprocess.Popen[str], str]:
    """The demo's first run, trained on the data, still serving."""
    return machine.demo(DATA=str(data))


def replies(output: str) -> list[dict[str, object]]:
    return [json.loads(block) for block in re.findall(r"(?ms)^\{$.*?^\}$", output)]


def test_the_demo_trains_promotes_and_scores_transactions(
    first_run: tuple[subprocess.Popen[str], str],
) -> None:
    _, output = first_run
    assert "Promoted fraud-demo version 1 to production." in output
    scored = replies(output)
    assert len(scored) == 4
    for reply in scored:
        assert reply["model"] == {"name": "fraud-demo", "version": 1}
        assert 0 <= float(str(reply["score"])) <= 1


@pytest.mark.usefixtures("first_run")
def test_demo_env_holds_working_settings_and_is_private(machine: Machine) -> None:
    path = machine.home / "demo.env"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    settings = read_environment(path)
    assert set(settings) == {
        "SENTINEL_URL",
        "SENTINEL_API_KEY",
        "MLFLOW_TRACKING_URI",
        "MLFLOW_TRACKING_USERNAME",
        "MLFLOW_TRACKING_PASSWORD",
        "DATABASE_URL",
        "SENTINEL_KEY_SECRET",
    }
    assert httpx.get(settings["SENTINEL_URL"] + "/readyz").json()["ready"] is True
    assert httpx.get(settings["MLFLOW_TRACKING_URI"] + "/health").text == "OK"
    with psycopg.connect(settings["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT count(*) FROM predictions").fetchone() == (4,)


@pytest.mark.usefixtures("first_run")
def test_the_demos_promotion_has_the_user_of_the_machine_in_the_log_and_in_the_policy(
    machine: Machine,
) -> None:
    settings = read_environment(machine.home / "demo.env")
    headers = {"Authorization": f"Bearer {settings['SENTINEL_API_KEY']}"}
    with httpx.Client(base_url=settings["SENTINEL_URL"], headers=headers) as client:
        (entry,) = client.get("/audit", params={"action": "promotion.created"}).json()["items"]
        policy = client.get("/models").json()["policy"]
    assert (entry["actor"], entry["via"]) == (os_user(), "sentinel demo")
    assert policy["actor"] == os_user()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
def test_another_user_of_the_machine_reaches_the_service_and_two_logins_only(
    first_run: tuple[subprocess.Popen[str], str], machine: Machine
) -> None:
    postgres = int((machine.home / "postgres/data/postmaster.pid").read_text().splitlines()[0])
    addresses, sockets = listening([*family(first_run[0].pid), *family(postgres)])
    assert addresses == {("127.0.0.1", machine.port), ("127.0.0.1", machine.mlflow_port)}
    for _, port in addresses:
        assert commands(f"tcp://127.0.0.1:{port}") == "no reply"
    (socket,) = sockets
    # Of Postgres: in a directory of its own, since the home's path has a comma.
    assert socket.endswith("/.s.PGSQL.5432")
    assert connects(socket) == "PermissionError"
    assert opens(machine.home) == []


@pytest.mark.usefixtures("first_run")
def test_mlflow_serves_nothing_without_the_demos_login(machine: Machine) -> None:
    settings = read_environment(machine.home / "demo.env")
    with httpx.Client(base_url=settings["MLFLOW_TRACKING_URI"], trust_env=False) as client:
        for path in MLFLOW_PATHS:
            for method in ("GET", "POST", "DELETE"):
                assert client.request(method, path).status_code in {401, 405}, (method, path)
        login = (settings["MLFLOW_TRACKING_USERNAME"], settings["MLFLOW_TRACKING_PASSWORD"])
        assert client.get("/", auth=login).status_code == 200
        assert client.get("/", auth=(login[0], "wrong")).status_code == 401


@pytest.mark.usefixtures("first_run")
def test_the_readmes_request_scores_once_however_often_it_is_sent(machine: Machine) -> None:
    sent = []
    for _ in range(2):
        done = subprocess.run(
            ["sh", "-euc", blocks(README)["score"]],
            cwd=machine.home.parent,
            env={"PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=True,
        )
        sent.append(json.loads(done.stdout))
    assert sent[0]["model"]["name"] == "fraud-demo", sent
    assert sent[0]["transaction_id"] == sent[1]["transaction_id"], sent


def test_the_printed_curl_command_scores(
    first_run: tuple[subprocess.Popen[str], str], machine: Machine
) -> None:
    (line,) = (line for line in first_run[1].splitlines() if "curl" in line)
    done = subprocess.run(
        ["sh", "-c", line], cwd=machine.checkout, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["model"]["name"] == "fraud-demo"


@pytest.mark.usefixtures("first_run")
def test_the_demos_key_gets_the_fixed_decisions_of_test_payments(machine: Machine) -> None:
    settings = read_environment(machine.home / "demo.env")
    reply = httpx.post(
        f"{settings['SENTINEL_URL']}/score",
        json=a_body(nameOrig="TEST-HIGH"),
        headers={"Authorization": f"Bearer {settings['SENTINEL_API_KEY']}"},
    ).json()
    assert (reply["decision"], reply["risk_band"]) == ("review", "high")
    assert reply["model"] == {"name": "sentinel-test", "version": 1}


def test_a_second_demo_in_the_folder_names_the_running_one(
    first_run: tuple[subprocess.Popen[str], str], machine: Machine
) -> None:
    status, output = machine.run("demo")
    assert status == 1
    assert f"process {first_run[0].pid}, http://127.0.0.1:{machine.port}" in output
    assert len(output.splitlines()) == 1
    assert machine.run("stop")[0] == 1, "nor does `make clean` pull the folder from under it"
    assert httpx.get(f"http://127.0.0.1:{machine.port}/readyz").is_success


@pytest.mark.usefixtures("first_run")
def test_a_busy_port_is_named_before_anything_is_started(machine: Machine, tmp_path: Path) -> None:
    status, output = machine.run("demo", SENTINEL_HOME=str(tmp_path / "other"))
    assert status == 1
    assert output == (
        f"Error: Port {machine.port} for the service is used by another program: stop that, or "
        "choose another port with PORT=<port>.\n"
    )
    assert not (tmp_path / "other/postgres").exists()


def test_ctrl_c_stops_every_process_and_the_next_run_reuses_model_and_key(
    first_run: tuple[subprocess.Popen[str], str], machine: Machine, data: Path
) -> None:
    key = read_environment(machine.home / "demo.env")["SENTINEL_API_KEY"]
    assert machine.stop(first_run[0]) == (0, ["Stopping ...", "Stopped."])
    assert machine.processes() == []

    begun = time.monotonic()
    again, output = machine.demo(DATA=str(data))
    assert time.monotonic() - begun < 45
    assert "Promoted" not in output
    assert {json.dumps(reply["model"]) for reply in replies(output)} == {
        '{"name": "fraud-demo", "version": 1}'
    }
    assert read_environment(machine.home / "demo.env")["SENTINEL_API_KEY"] == key
    assert machine.stop(again, signal.SIGTERM) == (0, ["Stopping ...", "Stopped."])
    assert machine.processes() == []


@pytest.mark.usefixtures("first_run")
def test_changed_data_are_trained_on_again_and_a_dead_service_ends_the_demo(
    machine: Machine, data: Path
) -> None:
    os.utime(data, (1, 1))
    demo, output = machine.demo(DATA=str(data))
    before, promoted, _ = output.partition("Promoted fraud-demo version 2 to production.")
    assert promoted
    assert "this trains again, and promotes the new version without a comparison." in before
    assert {json.dumps(reply["model"]) for reply in replies(output)} == {
        '{"name": "fraud-demo", "version": 2}'
    }
    (service,) = (
        child
        for child in psutil.Process(demo.pid).children()
        if "service:Sentinel" in child.cmdline()
    )
    service.kill()
    rest = demo.communicate(timeout=60)[0]
    assert demo.returncode == 1
    assert "The service ended unexpectedly with status -9; " in rest
    assert machine.processes() == []


@pytest.mark.usefixtures("first_run")
def test_after_a_kill_the_next_run_ends_leftover_processes_and_serves(machine: Machine) -> None:
    killed, _ = machine.demo()
    killed.kill()
    killed.communicate()
    assert machine.processes(), "a killed demo cannot stop what it started"
    again, output = machine.demo()
    assert len(replies(output)) == 4
    again.kill()
    again.communicate()
    assert machine.run("stop") == (0, "Stopped what was left running.\n")
    assert machine.processes() == []


@pytest.fixture(scope="module")
def own_run(
    machine: Machine, first_run: tuple[subprocess.Popen[str], str], own_file: Path
) -> tuple[subprocess.Popen[str], str]:
    """The demo, trained on a file of one's own after PaySim's, still serving."""
    if first_run[0].poll() is None:
        machine.stop(first_run[0])
    return machine.demo(DATA=str(own_file), LABEL="fraud")


@pytest.fixture(scope="module")
def own_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two months of card payments: frauds are large, and on few of the cards."""
    rng = np.random.default_rng(2)
    rows = 6000
    is_fraud = rng.random(rows) < 0.05
    start = datetime(2026, 1, 1, tzinfo=UTC)
    columns = {
        "when": [f"{start + timedelta(minutes=13 * i):%Y-%m-%dT%H:%M:00Z}" for i in range(rows)],
        "card_id": rng.integers(0, 200, rows) * np.where(is_fraud, 5, 1) % 200,
        "merchant_id": [f"m {i}" for i in rng.integers(0, 70, rows)],
        "amount": np.round(rng.lognormal(3, 1, rows) * np.where(is_fraud, 3, 1), 2).tolist(),
        "fraud": is_fraud.astype(int),
    }
    return write_csv(tmp_path_factory.mktemp("own") / "card payments.csv", columns)


def test_a_file_of_ones_own_becomes_an_event_type_to_look_at_and_a_served_model(
    own_run: tuple[subprocess.Popen[str], str], machine: Machine
) -> None:
    output = own_run[1]
    assert "Look at .sentinel/demo.event-type.yaml, the event type that was inferred" in output
    assert "The event type card_payments (version 1) is in force for the tenant demo." in output
    assert "time (UTC)" in output
    assert read_event_type(machine.home / "demo.event-type.yaml").label == "fraud"
    assert len(replies(output)) == 3


def test_the_events_that_are_scored_have_the_windows_that_training_computes(
    own_run: tuple[subprocess.Popen[str], str], machine: Machine, own_file: Path
) -> None:
    event_type = read_event_type(machine.home / "demo.event-type.yaml")
    data = own_events(own_file, event_type, seed=7)
    features = ModelFeatures(event_type, suggest(event_type))
    expected = data.matrix(features)[own_samples.choose(data)]
    seen = set()
    for reply, row in zip(replies(own_run[1]), expected, strict=True):
        values = dict(zip(features.names, row.tolist(), strict=True))
        for feature in reply["top_features"]:  # type: ignore[attr-defined]
            if feature["value"] is not None:
                seen.add(feature["name"])
                assert feature["value"] == values[feature["name"]], feature
    assert any(name.startswith(("card_", "merchant_")) for name in seen), seen


def test_each_printed_request_scores_the_same_again_and_so_does_the_next_run(
    own_run: tuple[subprocess.Popen[str], str], machine: Machine
) -> None:
    scores = [reply["score"] for reply in replies(own_run[1])]
    lines = [line for line in own_run[1].splitlines() if "curl" in line]
    sent = [
        subprocess.run(
            ["sh", "-c", line], cwd=machine.checkout, capture_output=True, text=True, check=True
        )
        for line in lines
    ]
    assert [json.loads(done.stdout)["score"] for done in sent] == scores
    machine.stop(own_run[0])
    again, output = machine.demo()
    assert "Registered" not in output
    assert [reply["score"] for reply in replies(output)] == scores
    machine.stop(again)


def test_a_label_that_is_no_column_is_refused_before_anything_is_started(
    machine: Machine, own_file: Path
) -> None:
    status, output = machine.run("demo", DATA=str(own_file), LABEL="is_fraud")
    assert status == 1
    assert output.endswith("card_id, merchant_id, amount, fraud. Did you mean fraud?\n")


def test_a_missing_data_file_is_named_before_anything_is_started(machine: Machine) -> None:
    status, output = machine.run("demo", DATA="no-such.csv")
    assert (status, output) == (1, "Error: DATA=no-such.csv: there is no such file.\n")


def test_data_without_a_column_are_refused_before_anything_is_started(
    machine: Machine, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("step,type\n1,PAYMENT\n")
    status, output = machine.run("demo", DATA=str(bad))
    assert status == 1
    assert output.startswith("Error: bad.csv lacks the columns amount, nameOrig, ")
    assert output.count("\n") == 1


@pytest.mark.usefixtures("first_run")
def test_untrainable_data_end_the_demo_and_promote_nothing(
    machine: Machine, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text(f"{','.join(COLUMNS)}\n1,PAYMENT,many,C1,5,M1,0,0\n")
    status, output = machine.run("demo", DATA=str(bad))
    assert status == 1
    assert "amount" in output, "the column of the bad cell is named"
    last = output.splitlines()[-1]
    assert re.fullmatch(
        r"Error: The training on bad\.csv did not succeed\. fraud-demo version \d is still in "
        r"production; `make demo` without DATA serves it\.",
        last,
    ), last
    assert "Traceback" not in output
    assert machine.processes() == []


@pytest.mark.parametrize(
    "text", ["plain", "with 'quotes' and $dollars", "p@/x?host=/a b&port=1", "ü \udce9 \n%"]
)
def test_settings_read_back_equal_from_the_file_and_from_a_shell(tmp_path: Path, text: str) -> None:
    path = tmp_path / "demo.env"
    write_environment(path, {"NAME": text})
    assert read_environment(path) == {"NAME": text}
    sourced = f'. {shlex.quote(str(path))}; printf %s "$NAME"'
    done = subprocess.run(["sh", "-c", sourced], capture_output=True, check=True)
    assert done.stdout == os.fsencode(text)

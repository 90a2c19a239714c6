"""`sentinel demo` trains, promotes, serves, and stops every process that it started.

It runs in a checkout whose path has every character that a shell, an ini file, a URI, a list of
Postgres or Rich's markup would interpret.
"""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest

from api.dependencies import KEEP_RESULT_S
from sentinel.command_actor import os_user
from sentinel.local.demo.state import read_environment
from tests.support.docs_runner import README, blocks
from tests.support.factories import a_body
from tests.support.sentinel.demo_machine import Machine, replies
from tests.support.sentinel.other_user import commands, connects, family, listening, opens
from training.data.loading import COLUMNS

pytestmark = pytest.mark.timeout(420)

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


@pytest.fixture(scope="module")
def first_run(machine: Machine, data: Path) -> tuple[subprocess.Popen[str], str]:
    """The demo's first run, trained on the data, still serving."""
    return machine.demo(DATA=str(data))


def test_the_demo_trains_promotes_and_scores_transactions(
    first_run: tuple[subprocess.Popen[str], str],
) -> None:
    _, output = first_run
    assert "Promoted fraud-demo version 1 to production." in output
    assert "Warning" not in output
    assert "fraud-demo is new in this MLflow; this makes its version 1.\n" in output
    assert "tenants create" not in output, "the demo has made its tenant"
    scored = replies(output)
    assert len(scored) == 4
    for reply in scored:
        assert reply["model"] == {"name": "fraud-demo", "version": 1}
        assert 0 <= float(str(reply["score"])) <= 1


def test_demo_env_holds_working_settings_and_is_private(
    first_run: tuple[subprocess.Popen[str], str], machine: Machine
) -> None:
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
        "SENTINEL_DEMO_PASSWORD",
    }
    assert httpx.get(settings["SENTINEL_URL"] + "/readyz").json()["ready"] is True
    assert httpx.get(settings["MLFLOW_TRACKING_URI"] + "/health").text == "OK"
    of_the_fortnight = re.search(r"^([0-9,]+) payments scored; [0-9]+ wait", first_run[1], re.M)
    assert of_the_fortnight is not None, first_run[1]
    # The samples, and the ring's next payment.
    scored = int(of_the_fortnight[1].replace(",", "")) + 4 + 1
    with psycopg.connect(settings["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT count(*) FROM predictions").fetchone() == (scored,)


def test_the_printed_link_signs_the_administrator_in_once_and_the_queue_is_full(
    first_run: tuple[subprocess.Popen[str], str], machine: Machine
) -> None:
    printed = re.search(r"^(http://\S+/console/links/\S+)$", first_run[1], re.M)
    assert printed is not None, first_run[1]
    link = printed[1]
    with httpx.Client(follow_redirects=True, trust_env=False) as browser:
        assert "Sign in as Dana Admin" in browser.get(link).text
        assert browser.post(link).is_success
        site = f"http://127.0.0.1:{machine.port}"
        queue = browser.get(f"{site}/console/queue")
        first = re.findall(r'href="(/console/transactions/[0-9a-f-]+)"', queue.text)[:10]
        pages = [browser.get(site + path).text for path in first]
    assert queue.text.count("/console/transactions/") >= 10
    assert any("One feature changed, all others held" in page for page in pages)
    assert not any("is not loaded here" in page for page in pages)
    assert httpx.post(link, trust_env=False).status_code == 404
    password = read_environment(machine.home / "demo.env")["SENTINEL_DEMO_PASSWORD"]
    form = {"organisation": "demo", "email": "ana@demo.example", "password": password}
    signed_in = httpx.post(
        f"http://127.0.0.1:{machine.port}/console/sign-in", data=form, trust_env=False
    )
    assert signed_in.status_code == 303


@pytest.fixture(scope="module")
def placed(first_run: tuple[subprocess.Popen[str], str]) -> dict[str, str]:
    """Address by the name of a place to look at."""
    listed = first_run[1].partition("\nWhere to look ")[2].partition("\nCtrl-C")[0]
    return dict(re.findall(r"^  (\w+) +(http://\S+)", listed, re.M))


@pytest.fixture(scope="module")
def dana(placed: dict[str, str], machine: Machine) -> Iterator[httpx.Client]:
    """A browser in which the demo's administrator is signed in."""
    password = read_environment(machine.home / "demo.env")["SENTINEL_DEMO_PASSWORD"]
    form = {"organisation": "demo", "email": "dana@demo.example", "password": password}
    with httpx.Client(follow_redirects=True, trust_env=False) as browser:
        sign_in = f"http://127.0.0.1:{machine.port}/console/sign-in"
        assert browser.post(sign_in, data=form).is_success
        assert browser.get(placed["Overview"]).is_success
        yield browser


def test_every_place_to_look_at_is_there(placed: dict[str, str], dana: httpx.Client) -> None:
    assert len(placed) + 1 <= 10, "with the link that signs in"
    for name, address in placed.items():
        assert dana.get(address).status_code == (401 if name == "MLflow" else 200), address


@pytest.mark.usefixtures("first_run")
def test_the_fortnight_was_decided_day_by_day_by_the_model_that_serves(machine: Machine) -> None:
    statement = (
        "SELECT uuid_extract_timestamp(id)::date, count(*), count(DISTINCT model_version)"
        " FROM predictions GROUP BY 1"
    )
    with psycopg.connect(read_environment(machine.home / "demo.env")["DATABASE_URL"]) as database:
        days = database.execute(statement).fetchall()
        late = database.execute(
            "SELECT min(occurred_at - uuid_extract_timestamp(transaction_id)), count(*)"
            " FROM labels WHERE source = 'chargeback'"
        ).fetchone()
    assert len(days) == 15
    assert {versions for *_, versions in days} == {1}
    assert all(count > 20 for _, count, _ in sorted(days)[1:-1])
    assert late is not None
    assert late[0] >= timedelta(days=2)
    assert late[1] >= 10


def test_the_ring_is_blocked_and_its_next_payment_was_declined(
    placed: dict[str, str], dana: httpx.Client
) -> None:
    page = dana.get(placed["Ring"]).text
    assert "Accounts emptied into two others" in page
    assert "C7300090027" in page, "whom it pays"
    declined = dana.get(placed["Declined"]).text
    assert "Decided by the list" in declined
    assert "Sam Senior" in declined


def test_a_case_is_overdue_another_is_due_and_a_rule_is_in_shadow(
    placed: dict[str, str], dana: httpx.Client
) -> None:
    cases = dana.get(placed["Cases"]).text
    assert "overdue by 2 days" in cases
    assert "due in 3 days" in cases
    assert "Two weeks in shadow first" in dana.get(placed["Rule"]).text
    deadline = time.monotonic() + KEEP_RESULT_S + 10
    while not re.search(r"Fired in shadow</dt>\s*<dd[^>]*>[1-9]", dana.get(placed["Rule"]).text):
        assert time.monotonic() < deadline, "the figures that were read before the fill are kept"
        time.sleep(1)


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
    status, output = machine.run("stop")
    assert status == 0
    assert re.fullmatch(r"Stopped [1-9] programs? of a demo and its Postgres\.\n", output)
    assert machine.processes() == []
    assert machine.run("stop") == (0, "Nothing was left running.\n")


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

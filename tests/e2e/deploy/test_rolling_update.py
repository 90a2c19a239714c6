"""A rolling update from the last release to this one, with the timings of the production manifest.

Both releases serve one database and one registry for a while. The earlier one is unpacked from
`tests/support/releases/`, has trained the model that is in production, and goes on while the
database is migrated below it.
"""

from __future__ import annotations

import csv
import io
import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
import pyarrow.csv
import pytest
from mlflow import MlflowClient
from sqlalchemy import Engine, text

from persistence.actor import Actor
from persistence.engine import open_database
from persistence.maintenance.migrate import head_revision, upgrade
from registry.client.factory import open_registry
from registry.names import PRODUCTION
from registry.store.model_store import ModelStore
from scoring.feature_set.definition import FeatureDefinition
from scoring.feature_set.feature_set import FeatureSet
from scoring.feature_set.model_features import ModelFeatures
from scoring.features import PAYSIM_FEATURES
from scoring.transaction import PAYSIM, TRANSACTION_TYPES
from sentinel.operations.replay import replay
from tests.support.deploy.kustomize import Document, render, the
from tests.support.deploy.load_balancer import Balancer
from tests.support.factories import a_body, a_model
from tests.support.load import Load
from tests.support.own_models import a_model_of
from tests.support.releases.code import ReleasedCode, released_code
from tests.support.releases.statements import RELEASES, revision_of
from tests.support.stack import Publish, Service, publisher, serving
from training.data.simulator import simulate

NEWS_S = 3.0
"""How long a proxy goes on sending to a pod that was asked to end, not having heard of it."""
TENANT, MODEL = "rolling-update", "fraud-rolling-update"
SCOPES = "score,review,admin"
OF_THE_LOAD = "C-of-the-load"
PAUSE_S = 0.1
"""Of each client of the load between two requests: two cores also start processes."""
ONE_MORE = ModelFeatures(
    PAYSIM,
    FeatureSet(
        (
            *PAYSIM_FEATURES.feature_set.definitions,
            FeatureDefinition("night", "step % 24 < 6", "whether it is night"),
        )
    ),
)
"""PaySim's features and one that the last release does not compute."""
OTHER_FEATURES = "features.json lists other features than this release computes"


class Pods:
    """Starts and ends service processes as Kubernetes does pods, behind a balancer."""

    def __init__(self, spec: Document, balancer: Balancer) -> None:
        (container,) = spec["containers"]
        self.pause_s: float = container["lifecycle"]["preStop"]["sleep"]["seconds"]
        self.grace_s: float = spec["terminationGracePeriodSeconds"]
        self._balancer = balancer

    def add(self, pod: Service) -> Service:
        """Return when requests are sent to it."""
        self._balancer.add(port_of(pod))
        pod.child.wait_until(lambda: self._balancer.ready(port_of(pod)), 60)
        return pod

    def end(self, pod: Service) -> int:
        """End one as the manifest says; the proxies hear of it late. Returns its exit status."""
        process = psutil.Process(pod.child.identity[0])
        time.sleep(NEWS_S)
        self._balancer.remove(port_of(pod))
        time.sleep(self.pause_s - NEWS_S)
        process.terminate()
        return int(process.wait(self.grace_s - self.pause_s))


def port_of(pod: Service) -> int:
    return int(pod.url.rpartition(":")[2])


@dataclass
class Rollout:
    """A rolling update of which a half is done: processes of both releases decide.

    Attributes:
        engine: pool that acts as the tables' owner.
        registry: address of MLflow.
        publish: this release's way to register and promote a version.
        key: API key with every scope.
        pods: starts and ends processes behind the balancer.
        balancer: balancer that the load goes to.
        start_old: starts a process of the last release.
        start: starts one of this release.
        old: processes of the last release.
        new: processes of this release.
        statuses: statuses of the load's replies.
        answers: bodies of the load's replies.
    """

    engine: Engine
    registry: str
    publish: Publish
    key: str
    pods: Pods
    balancer: Balancer
    start_old: Callable[[], Service]
    start: Callable[[], Service]
    old: list[Service] = field(default_factory=list)
    new: list[Service] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)

    @property
    def releases(self) -> tuple[Service, Service]:
        """A process of the last release, and one of this release."""
        return self.old[-1], self.new[0]

    @contextmanager
    def under_load(self) -> Iterator[None]:
        """Score through the balancer until the block ends."""
        load = Load(
            self.key,
            [self.balancer.url],
            pause_s=PAUSE_S,
            body=lambda: a_body(nameOrig=OF_THE_LOAD),
        )
        with load:
            yield
        self.statuses += [reply.status for reply in load.replies]
        self.answers += [reply.json() for reply in load.succeeded]

    def get(self, service: Service, path: str) -> Any:
        """Return what a GET replies, which has to succeed: JSON or text."""
        headers = {"Authorization": f"Bearer {self.key}"}
        reply = service.client.get(path, headers=headers)
        assert reply.status_code == 200, reply.text
        return reply.json() if "json" in reply.headers["Content-Type"] else reply.text

    def post(self, service: Service, path: str, body: Any, **headers: str) -> Any:
        """Return what a POST replies, which has to succeed."""
        reply = service.post(path, body, self.key, headers=headers)
        assert reply.is_success, reply.text
        return reply.json()

    def wait_for_version(self, service: Service, version: int) -> None:
        """Wait until a process decides by a version."""
        service.child.wait_until(
            lambda: self.post(service, "/score", a_body())["model"]["version"] == version, 20
        )


@pytest.fixture(scope="module")
def earlier(
    make_database: Callable[..., str],
    mlflow_server: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> ReleasedCode:
    """The last release, with a database and a version in production that it made."""
    directory = tmp_path_factory.mktemp("earlier")
    earlier = released_code(directory, make_database(), mlflow_server)
    data = directory / "month.csv"
    pyarrow.csv.write_csv(simulate(20_000, seed=3), data)
    earlier.run("sentinel", "db", "upgrade")
    earlier.run("sentinel", "tenants", "create", TENANT)
    earlier.run("training", "train", "--tenant", TENANT, "--data", str(data))
    MlflowClient(mlflow_server).set_registered_model_alias(MODEL, PRODUCTION, "1")
    return earlier


@pytest.fixture(scope="module")
def rollout(
    earlier: ReleasedCode, free_port: Callable[[], int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Rollout]:
    """Two processes of the last release, a migration under load, and the first of this release."""
    issued = earlier.run("sentinel", "keys", "issue", "--tenant", TENANT, "--scopes", SCOPES)
    key = re.search(r"sk_\w+", issued)
    assert key
    spec = the(render("overlays/production"), "Deployment")["spec"]["template"]["spec"]
    with ExitStack() as stack:

        def start(release: Callable[..., AbstractContextManager[Service]]) -> Service:
            home, port = tmp_path_factory.mktemp("pod"), free_port()
            return stack.enter_context(release(home, port))

        this = partial(serving, earlier.database, earlier.tracking_uri)
        balancer = stack.enter_context(Balancer(spec["containers"][0]["readinessProbe"]))
        pods = Pods(spec, balancer)
        engine = open_database(earlier.database)
        stack.callback(engine.dispose)
        rollout = Rollout(
            engine=engine,
            registry=earlier.tracking_uri,
            publish=publisher(earlier.tracking_uri, tmp_path_factory.mktemp("published")),
            key=key[0],
            pods=pods,
            balancer=balancer,
            start_old=lambda: start(earlier.serving),
            start=lambda: start(this),
        )
        rollout.old += [pods.add(rollout.start_old()) for _ in range(2)]
        with rollout.under_load():
            upgrade(earlier.database)
            time.sleep(1)
            rollout.new.append(pods.add(rollout.start()))
            time.sleep(1)
        yield rollout


def payments(count: int, seed: int = 5) -> list[dict[str, Any]]:
    """Return random payments as request bodies."""
    rng = random.Random(seed)  # noqa: S311 - the numbers need no secrecy
    return [
        a_body(
            step=rng.randrange(744),
            type=rng.choice(TRANSACTION_TYPES),
            amount=round(rng.lognormvariate(9, 2), 2),
            oldbalanceOrg=rng.choice([0.0, round(rng.lognormvariate(9, 2), 2)]),
            oldbalanceDest=rng.choice([0.0, -12.5, round(rng.lognormvariate(10, 2), 2)]),
            nameOrig=f"C{rng.randrange(1000)}",
            nameDest=rng.choice(["C1", "M2"]),
        )
        for _ in range(count)
    ]


def decided_alike(replies: Sequence[Any]) -> dict[str, Any]:
    """Return what both releases have to reply with the same bits: all but ids and times."""
    own = {"transaction_id", "prediction_id", "latency_ms"}
    first, second = (
        {name: value for name, value in reply.items() if name not in own} for reply in replies
    )
    assert repr(first) == repr(second)
    return first


def compare(rollout: Rollout, version: int) -> None:
    """Compare the replies of both releases, one by one and as a batch."""
    rows = payments(60)
    for body in rows:
        reply = decided_alike([rollout.post(one, "/score", body) for one in rollout.releases])
        assert reply["model"] == {"name": MODEL, "version": version}
    batches = [
        rollout.post(one, "/score/batch", {"transactions": rows})["results"]
        for one in rollout.releases
    ]
    for pair in zip(*batches, strict=True):
        decided_alike(pair)


def test_the_earlier_process_runs_the_earlier_code(rollout: Rollout) -> None:
    paths = [service.client.get("/openapi.json").json()["paths"] for service in rollout.releases]
    assert "/labels" not in paths[0]
    assert "/labels" in paths[1]
    assert head_revision() > revision_of(RELEASES[-1])


def test_both_releases_decide_with_the_same_bits(rollout: Rollout) -> None:
    """The version in production was trained by the earlier release."""
    compare(rollout, version=1)


def test_a_retry_at_the_other_release_gets_the_stored_decision(rollout: Rollout) -> None:
    batch = {"transactions": payments(3)}
    for first, second in permutations(rollout.releases):
        body = a_body(external_id=f"order-{first.url}")
        replies = [rollout.post(one, "/score", body) for one in (first, second)]
        assert replies[0]["prediction_id"] == replies[1]["prediction_id"]
        decided_alike(replies)
        changed = second.post("/score", body | {"amount": 1.0}, rollout.key)
        assert changed.status_code == 422
        named = {"Idempotency-Key": f"batch-{first.url}"}
        results = [
            rollout.post(one, "/score/batch", batch, **named)["results"] for one in (first, second)
        ]
        assert [[row["prediction_id"] for row in rows] for rows in results[:1]] == [
            [row["prediction_id"] for row in rows] for rows in results[1:]
        ]


def test_each_release_explains_and_shows_what_the_other_decided(rollout: Rollout) -> None:
    for first, second in permutations(rollout.releases):
        account = f"C-decided-at-{port_of(first)}"
        decided = rollout.post(first, "/score", a_body(nameOrig=account))
        stored = {"prediction_id": decided["prediction_id"]}
        explained = [rollout.post(one, "/explain", stored) for one in (first, second)]
        assert explained[0]["features"] == explained[1]["features"]
        assert explained[1]["margin"] == decided["margin"]
        path = f"/transactions/{decided['transaction_id']}"
        assert rollout.get(second, path)["prediction"]["margin"] == decided["margin"]
        found = rollout.get(second, f"/transactions?account={account}")["items"]
        assert [one["transaction_id"] for one in found] == [decided["transaction_id"]]
        exported = rollout.get(second, f"/transactions.csv?account={account}")
        (line,) = csv.DictReader(io.StringIO(exported, newline=""))
        assert line["transaction_id"] == decided["transaction_id"]
        assert rollout.get(second, "/queue?limit=5")["items"]
        feedback = {"label": "confirmed_fraud", "rationale": "seen"}
        rollout.post(second, f"{path}/feedback", feedback)
        case = rollout.get(first, path)
        assert (case["undecided"], case["feedback"][0]["label"]) == (False, "confirmed_fraud")
        assert rollout.get(rollout.new[0], path)["label"] == "fraud"


def test_decisions_from_before_the_migration_are_explained_and_replayed(
    rollout: Rollout, tmp_path: Path
) -> None:
    registry = open_registry(rollout.registry)
    store = ModelStore(registry, tmp_path / "models")
    for reply in (rollout.answers[0], rollout.answers[-1]):
        explained = rollout.post(
            rollout.new[0], "/explain", {"prediction_id": reply["prediction_id"]}
        )
        assert explained["margin"] == reply["margin"]
        prediction_id = UUID(reply["prediction_id"])
        replayed = replay(rollout.engine, registry, store, prediction_id, Actor("someone"))
        assert replayed.differences == []


def test_both_releases_serve_a_version_of_paysims_features_that_this_release_registers(
    rollout: Rollout,
) -> None:
    version = rollout.publish(MODEL, a_model(seed=5))
    for service in rollout.releases:
        rollout.wait_for_version(service, version)
    compare(rollout, version)


def test_the_earlier_release_refuses_other_features_and_goes_on_with_the_version_before(
    rollout: Rollout,
) -> None:
    before = rollout.publish(MODEL, a_model(seed=6))
    old, new = rollout.releases
    for service in rollout.releases:
        rollout.wait_for_version(service, before)
    version = rollout.publish(MODEL, a_model_of(ONE_MORE))
    rollout.wait_for_version(new, version)
    old.child.wait_until(lambda: bool(old.client.get("/readyz").json()["faults"]), 20)
    ready = old.client.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["faults"] == {MODEL: f"version {version} is refused: {OTHER_FEATURES}"}
    assert rollout.post(old, "/score", a_body())["model"]["version"] == before
    assert not new.client.get("/readyz").json()["faults"]
    refusals = rollout.get(new, "/models")["refusals"]
    assert [(r["model"]["version"], r["reason"]) for r in refusals] == [(version, OTHER_FEATURES)]
    # What this release decided by more features, the earlier one shows by those that it knows.
    decided = rollout.post(new, "/score", a_body())
    stored = {"prediction_id": decided["prediction_id"]}
    assert rollout.post(old, "/explain", stored)["margin"] == decided["margin"]
    # One that starts now has no version before.
    late = rollout.start_old()
    assert late.client.get("/readyz").status_code == 503
    assert late.post("/score", a_body(), rollout.key).status_code == 503
    late.child.stop()
    rollout.publish(MODEL, a_model(seed=6))


def test_no_request_fails_and_each_is_stored_once_while_every_pod_is_replaced(
    rollout: Rollout,
) -> None:
    with rollout.under_load():
        assert rollout.pods.end(rollout.old[0]) == 0
        rollout.new.append(rollout.pods.add(rollout.start()))
        assert rollout.pods.end(rollout.old[1]) == 0
        time.sleep(1)
    balancer = rollout.balancer
    assert balancer.failed == []
    assert set(rollout.statuses) == {200}
    assert balancer.fewest == len(rollout.old)
    assert all(balancer.answered[port_of(pod)] for pod in (*rollout.old, *rollout.new))
    prediction_ids = [reply["prediction_id"] for reply in rollout.answers]
    assert len(set(prediction_ids)) == len(prediction_ids)
    of_the_load = text(
        "SELECT p.id::text FROM predictions p JOIN transactions t"
        " ON (t.tenant_id, t.id) = (p.tenant_id, p.transaction_id) WHERE t.name_orig = :payer"
    )
    with rollout.engine.connect() as connection:
        stored = connection.execute(of_the_load, {"payer": OF_THE_LOAD}).scalars().all()
    assert sorted(stored) == sorted(prediction_ids)

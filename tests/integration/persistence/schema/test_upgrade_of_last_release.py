"""A database of the last release keeps every row, and its decisions everything that they had."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic import command
from psycopg import sql
from psycopg.rows import tuple_row
from sqlalchemy import Engine, text

from persistence.actor import Actor
from persistence.decisions.rows import Decided, read_decision
from persistence.decisions.shadow_scores import ShadowLog
from persistence.decisions.writer import DecisionLog
from persistence.drift.checks import latest_run
from persistence.engine import open_database
from persistence.idempotency import Reply, write_once
from persistence.maintenance.migrate import alembic_config, head_revision, upgrade
from persistence.maintenance.partitions import months_made
from persistence.review.worklist import read_case
from persistence.tenancy import SERVICE_ROLE
from registry.client.factory import open_registry
from registry.store.model_store import ModelStore
from scoring.features import FEATURE_NAMES, PAYSIM_FEATURES
from scoring.prediction import ModelVersion
from sentinel.operations.replay import replay
from serving.responses import explain_reply
from tests.support.data.partition_months import THIS
from tests.support.data.shadow import a_shadow_score
from tests.support.factories import a_decision, a_model, write_whole
from tests.support.management_api import Request, connected
from tests.support.releases.rows import (
    ANALYST,
    BATCH_KEY,
    LAST_MONTH,
    REPLY,
    TENANT,
    TRIAL,
    USUAL,
    LastRelease,
    fill_last_release,
)
from tests.support.stack import publisher

MODEL = "fraud-last-release"
READER = Actor("someone", "tests")
Rows = dict[str, tuple[tuple[str, ...], set[str]]]
"""By table: its columns, and its rows as text of these columns."""


def every_row(url: str, known: Rows | None = None) -> Rows:
    """Return all rows of a database, of the columns of `known` where it is given."""
    with psycopg.connect(url, row_factory=tuple_row) as connection:
        if known is None:
            tables = connection.execute(
                "SELECT c.relname, array_agg(a.attname::text ORDER BY a.attnum) FROM pg_class c"
                " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0"
                " AND NOT a.attisdropped WHERE c.relnamespace = 'public'::regnamespace"
                " AND c.relkind IN ('r', 'p') AND NOT c.relispartition GROUP BY c.relname"
            ).fetchall()
            columns = {name: tuple(names) for name, names in tables if name != "alembic_version"}
        else:
            columns = {name: names for name, (names, _) in known.items()}
        return {name: (names, _rows(connection, name, names)) for name, names in columns.items()}


def _rows(connection: psycopg.Connection[Any], table: str, columns: tuple[str, ...]) -> set[str]:
    statement = sql.SQL("SELECT (ROW({}))::text FROM {}").format(
        sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Identifier(table)
    )
    return {row for (row,) in connection.execute(statement)}


@pytest.fixture(scope="module")
def model_numbers(mlflow_server: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[int, int]:
    """Numbers of the registered versions that decided: champion and challenger."""
    publish = publisher(mlflow_server, tmp_path_factory.mktemp("published"))
    return publish(MODEL, a_model(seed=2)), publish(MODEL, a_model(seed=3), alias="challenger")


@pytest.fixture(scope="module")
def before(
    make_database: Callable[..., str], model_numbers: tuple[int, int]
) -> tuple[LastRelease, Rows]:
    """The filled database of the last release, upgraded, with its rows before the upgrade."""
    champion, challenger = (
        a_model(seed=seed, version=ModelVersion(MODEL, number)).as_served()
        for seed, number in zip((2, 3), model_numbers, strict=True)
    )
    release = fill_last_release(make_database(), champion, challenger)
    rows = every_row(release.url)
    assert upgrade(release.url) == head_revision()
    return release, rows


@pytest.fixture(scope="module")
def release(before: tuple[LastRelease, Rows]) -> LastRelease:
    """The upgraded database."""
    return before[0]


@pytest.fixture(scope="module")
def owner(release: LastRelease) -> Iterator[Engine]:
    """A pool of the tables' owner."""
    engine = open_database(release.url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def service(release: LastRelease) -> Iterator[Engine]:
    """A pool with the service's role."""
    engine = open_database(release.url, role=SERVICE_ROLE)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def request_(service: Engine) -> Iterator[Request]:
    with connected(service) as request:
        yield request


def test_the_database_has_rows_of_every_kind(before: tuple[LastRelease, Rows]) -> None:
    _, rows = before
    assert [table for table, (_, found) in rows.items() if not found] == []


def test_an_upgrade_changes_no_row(before: tuple[LastRelease, Rows]) -> None:
    release, rows = before
    after = every_row(release.url, rows)
    assert {table: found - after[table][1] for table, (_, found) in rows.items()} == {
        table: set() for table in rows
    }


def test_the_upgraded_schema_is_that_of_this_release(owner: Engine) -> None:
    command.check(alembic_config(owner))
    with owner.connect() as connection:
        assert months_made(connection) >= {LAST_MONTH, THIS}
        unchecked = text("SELECT conname FROM pg_constraint WHERE NOT convalidated")
        assert connection.execute(unchecked).all() == []


def test_every_decision_is_read_to_the_last_bit(service: Engine, release: LastRelease) -> None:
    for decided in release.all:
        stored = read_decision(service, decided.tenant_id, decided.prediction_id)
        assert stored._replace(decided_at=None) == decided
        assert repr(stored.transaction) == repr(decided.transaction)


def test_every_decision_is_explained_by_the_features_it_had(
    service: Engine, release: LastRelease
) -> None:
    for decided in release.all:
        stored = read_decision(service, decided.tenant_id, decided.prediction_id).prediction
        assert stored.described == PAYSIM_FEATURES.described
        explained = json.loads(bytes(explain_reply(stored, "id", 0.0).body))
        features = explained["features"]
        assert sorted(one["name"] for one in features) == sorted(FEATURE_NAMES)
        total = explained["base_value"] + sum(one["contribution"] for one in features)
        assert total == pytest.approx(decided.prediction.margin, abs=1e-9)
        assert explained["reasons"]


def test_a_version_keeps_its_usual_values(service: Engine, release: LastRelease) -> None:
    def usual(name: str) -> Any:
        decided = release.decided[name]
        stored = read_decision(service, decided.tenant_id, decided.prediction_id)
        return stored.prediction.model.usual

    assert (usual("plain"), usual("by the canary")) == (USUAL, {})


def test_every_decision_is_replayed_to_the_last_bit(
    owner: Engine, release: LastRelease, mlflow_server: str, tmp_path: Path
) -> None:
    registry = open_registry(mlflow_server)
    store = ModelStore(registry, tmp_path / "models")
    for decided in release.all:
        replayed = replay(owner, registry, store, decided.prediction_id, READER)
        assert replayed.differences == []


def items_of(request_: Request, tenant_id: int, path: str) -> list[Any]:
    reply = request_(tenant_id, "GET", path)
    assert reply.status_code == 200, reply.text
    items: list[Any] = reply.json()["items"]
    return items


def transaction_ids(items: list[Any]) -> set[str]:
    return {item["transaction_id"] for item in items}


def ids(decisions: list[Decided]) -> set[str]:
    return {str(decided.transaction_id) for decided in decisions}


def test_a_search_and_an_export_have_every_decision(
    request_: Request, release: LastRelease
) -> None:
    for tenant_id in (TENANT, TRIAL):
        of_tenant = [decided for decided in release.all if decided.tenant_id == tenant_id]
        found = items_of(request_, tenant_id, "/transactions?limit=100")
        assert transaction_ids(found) == ids(of_tenant)
        exported = request_(tenant_id, "GET", "/transactions.csv").text
        lines = list(csv.DictReader(io.StringIO(exported, newline="")))
        assert transaction_ids(lines) == ids(of_tenant)
        scores = {line["transaction_id"]: float(line["score"]) for line in lines}
        assert all(scores[str(d.transaction_id)] == d.prediction.score for d in of_tenant)
    by_account = items_of(request_, TENANT, "/transactions?account=C2")
    assert transaction_ids(by_account) == ids([release.decided["by the canary"]])
    by_id = items_of(request_, TENANT, "/transactions?external_id=old")
    assert transaction_ids(by_id) == ids([release.decided["of last month"]])


def test_the_worklist_has_what_nobody_settled(request_: Request, release: LastRelease) -> None:
    settled = {"with an id", "of last month", "by the canary"}
    unsettled = [one for name, one in release.decided.items() if name not in settled]
    wanted = [
        decided
        for decided in [*unsettled, *release.batch]
        if decided.tenant_id == TENANT and decided.prediction.decision == "review"
    ]
    assert wanted
    assert transaction_ids(items_of(request_, TENANT, "/queue?limit=100")) == ids(wanted)


def test_a_case_shows_its_transaction_prediction_and_feedback(
    request_: Request, release: LastRelease
) -> None:
    for decided in release.all:
        path = f"/transactions/{decided.transaction_id}"
        case = request_(decided.tenant_id, "GET", path).json()
        assert case["transaction"] == decided.transaction.document() | {
            "external_id": decided.transaction.external_id
        }
        prediction = case["prediction"]
        assert prediction["margin"] == decided.prediction.margin
        assert [one["name"] for one in prediction["features"]] == list(FEATURE_NAMES)
    path = f"/transactions/{release.decided['of last month'].transaction_id}"
    case = request_(TENANT, "GET", path).json()
    feedback = [one["label"] for one in case["feedback"]]
    assert feedback == ["false_positive", "escalated", "confirmed_fraud"]


def test_feedback_becomes_labels_of_the_same_time(service: Engine, release: LastRelease) -> None:
    case = read_case(service, TENANT, release.decided["of last month"].transaction_id)
    assert [label.label for label in case.labels] == ["legitimate", "escalated", "fraud"]
    assert [label.occurred_at for label in case.labels] == [f.created_at for f in case.feedback]
    assert all(later.occurred_at > one.occurred_at for later, one in pairwise(case.labels))
    assert {(label.source, label.actor) for label in case.labels} == {("analyst", ANALYST)}
    assert case.label == case.labels[0]


def test_versions_policies_drift_and_audit_are_shown(
    request_: Request, service: Engine, model_numbers: tuple[int, int]
) -> None:
    models = request_(TENANT, "GET", "/models").json()
    assert {one["model"]["version"] for one in models["versions"]} == set(model_numbers)
    (refusal,) = models["refusals"]
    assert refusal["reason"] == "calibrator.json is missing"
    assert request_(TENANT, "GET", "/policy").status_code == 200
    run = latest_run(service, TENANT)
    assert run is not None
    (check,) = run.checks
    assert {measure.name for measure in check.measures} == {"score", "amount"}
    assert request_(TENANT, "GET", "/drift").status_code == 200
    changes = {one["action"] for one in items_of(request_, TENANT, "/audit?limit=100")}
    created = {"feedback", "key", "policy", "promotion", "challenger", "refusal"}
    assert changes >= {f"{noun}.created" for noun in created}
    reads = items_of(request_, TENANT, "/audit?limit=100&reads=true")
    assert ("jane", "transaction.read") in {(one["actor"], one["action"]) for one in reads}


def test_a_repeated_request_is_answered_with_what_the_last_release_stored(
    service: Engine, release: LastRelease
) -> None:
    log = DecisionLog(service)
    for name in ("with an id", "of last month"):
        first = release.decided[name]
        again = first._replace(prediction_id=a_decision(TENANT).prediction_id)
        (answer,) = log.write([again])
        assert isinstance(answer, Decided)
        assert answer._replace(decided_at=None) == first
    blank = [a_decision(TENANT)._replace(transaction=one.transaction) for one in release.batch]
    answers = write_whole(log, blank, key=BATCH_KEY)
    assert [answer._replace(decided_at=None) for answer in answers] == release.batch
    kept = write_once(service, TENANT, _unreachable, actor=READER, request=REPLY)
    assert kept == Reply(201, b"{}", is_replayed=True)


def _unreachable(_connection: object) -> Reply:
    raise AssertionError("the request was carried out again")


def test_decisions_of_the_last_release_take_feedback_and_shadow_scores(
    request_: Request, service: Engine, release: LastRelease
) -> None:
    for name in ("with odd values", "of last month"):
        decided = release.decided[name]
        ShadowLog(service).write([a_shadow_score(decided)])
        path = f"/transactions/{decided.transaction_id}/feedback"
        body = {"label": "confirmed_fraud", "rationale": "seen"}
        assert request_(TENANT, "POST", path, body).status_code == 201
        case = read_case(service, TENANT, decided.transaction_id)
        assert case.label is not None
        assert case.label.label == "fraud"

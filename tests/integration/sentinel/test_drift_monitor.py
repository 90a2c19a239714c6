"""`sentinel monitor` compares every tenant's versions with their training distributions."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine

from persistence.deployments.recording import record_promotions
from persistence.drift.checks import Check, latest_run
from persistence.monitoring.job_runs import job_runs
from persistence.tenants import Tenant, create_tenant
from scoring.evaluation.drift import SCORE
from scoring.prediction import ModelVersion
from sentinel.cli.main import main
from sentinel.operations.drift_monitor import parse_window
from tests.support.data.drift import a_model_with_distribution, decide, payments
from tests.support.factories import a_model, feature_rows
from tests.support.registry.mlflow_gateway import gateway
from tests.support.stack import Publish, untouched

Monitor = Callable[..., Result]


@pytest.fixture
def monitor(
    database: str, mlflow_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Monitor:
    """The command, with this test's database and the session's MLflow."""
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server)
    monkeypatch.setenv("SENTINEL_HOME", str(tmp_path / "home"))
    return lambda *options: CliRunner().invoke(main, ["monitor", *options])


@pytest.fixture
def serve(engine: Engine, publish: Publish) -> Callable[..., tuple[Tenant, ModelVersion]]:
    """A factory of tenants with a registered version in production."""

    def make(slug: str, spoil: Callable[[Path], object] = untouched) -> Any:
        name = f"fraud-monitored-{slug}"
        number = publish(name, a_model_with_distribution(), spoil=spoil)
        version = ModelVersion(name, number)
        tenant = create_tenant(engine, slug, name)
        record_promotions(engine, [tenant.id], a_model(version=version))
        return tenant, version

    return make


def checks(engine: Engine, tenant: Tenant) -> list[Check]:
    run = latest_run(engine, tenant.id)
    assert run is not None
    return run.checks


def test_the_monitor_measures_every_tenants_version_over_the_window(
    monitor: Monitor, serve: Any, engine: Engine
) -> None:
    (calm, first), (moved, second) = serve("calm"), serve("moved")
    decide(engine, calm.id, first, payments(1000))
    decide(engine, moved.id, second, payments(1000, amount=5.0))
    create_tenant(engine, "new", "fraud-new")
    result = monitor()
    assert result.exit_code == 0, result.output
    assert recorded(engine) == {"monitor"}
    assert "amount" in result.output
    assert "major" in result.output
    for tenant, drifting in ((calm, False), (moved, True)):
        (check,) = checks(engine, tenant)
        levels = {measure.name: measure.shift.level for measure in check.measures}
        assert check.predictions == 1000
        assert levels[SCORE] == "stable"
        assert (levels["amount"] == "major") == drifting
        assert levels["oldbalance_dest"] == "stable"


def test_the_monitor_takes_a_window_and_one_tenant(
    monitor: Monitor, serve: Any, engine: Engine
) -> None:
    (few, version), (left_out, _) = serve("few"), serve("left-out")
    decide(engine, few.id, version, feature_rows(150))  # an hour ago
    assert monitor("--window", "2h", "--tenant", "few").exit_code == 0
    assert recorded(engine) == set(), "a run of one tenant is not the hourly one"
    assert "It decided nothing in the window." in monitor("--window", "1h").output
    (check,) = checks(engine, few)
    assert check.predictions == 0
    assert {measure.shift.psi for measure in check.measures} == {None}

    result = monitor("--window", "2h", "--tenant", "few")
    assert result.exit_code == 0, result.output
    assert "insufficient" in result.output
    assert "left-out" not in result.output
    (check,) = checks(engine, few)
    levels = {measure.name: measure.shift.level for measure in check.measures}
    assert levels["amount"] == levels[SCORE] == "insufficient"
    assert levels["dest_is_merchant"] == "stable", "two bins need fewer rows"
    assert checks(engine, left_out)[0].predictions == 0

    unknown = monitor("--tenant", "nobody")
    assert (unknown.exit_code, "no tenant 'nobody'" in unknown.output) == (1, True)


def test_a_version_without_a_distribution_has_a_note_and_the_others_are_measured(
    monitor: Monitor, serve: Any, engine: Engine
) -> None:
    def forget(folder: Path) -> None:
        file = folder / "features.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"distribution": {}}))

    def garble(folder: Path) -> None:
        (folder / "features.json").write_text("[1]")

    old, _ = serve("old", forget)
    broken, _ = serve("broken", garble)
    sound, version = serve("sound")
    gone = ModelVersion(version.name, 99)
    record_promotions(engine, [sound.id], a_model(version=gone))
    record_promotions(engine, [sound.id], a_model(version=version))
    decide(engine, sound.id, gone, feature_rows(2))
    assert monitor().exit_code == 0
    for tenant, why in ((old, "carries no training distribution"), (broken, "cannot be read")):
        (check,) = checks(engine, tenant)
        assert check.measures == ()
        assert why in str(check.note)
    production, former = checks(engine, sound)
    assert (production.version, len(production.measures)) == (version, 12)
    assert (former.version, former.predictions) == (gone, 2)
    assert "does not have the version any more" in str(former.note)


def test_without_mlflow_nothing_is_stored_and_the_status_is_1(
    monitor: Monitor, serve: Any, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant, _ = serve("waiting")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    result = monitor()
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    assert latest_run(engine, tenant.id) is None
    assert recorded(engine) == set()


def recorded(engine: Engine) -> set[str]:
    """Return the jobs that are recorded as having ended well."""
    with engine.connect() as connection:
        return set(job_runs(connection))


def test_a_version_that_mlflow_does_not_return_leaves_the_other_tenants_measured(
    monitor: Monitor, serve: Any, engine: Engine, mlflow_with_login: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    (faulty, version), (sound, _) = serve("a-faulty"), serve("b-sound")
    with gateway(mlflow_with_login) as made:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", made.url)
        made.change = lambda target, reply: (500, b"") if version.name in target else reply
        result = monitor()
    assert result.exit_code == 1
    assert f"{version.name} version 1 was not measured: MLflow returned status 500" in result.output
    assert latest_run(engine, faulty.id) is None
    assert len(checks(engine, sound)) == 1


def test_without_any_version_the_monitor_reports_nothing_to_store(monitor: Monitor) -> None:
    result = monitor()
    assert (result.exit_code, "nothing to store" in result.output) == (0, True)


@pytest.mark.parametrize(
    ("expected", "hours"), [("1h", 1), ("24h", 24), ("7d", 168), ("366d", 366 * 24)]
)
def test_a_window_is_hours_or_days(expected: str, hours: int) -> None:
    assert parse_window(expected) == timedelta(hours=hours)


@pytest.mark.parametrize("expected", ["", "24", "0h", "-1d", "1.5h", "2w", "1h ", "367d", "99999h"])
def test_any_other_window_is_refused_by_name(expected: str) -> None:
    result = CliRunner().invoke(main, ["monitor", "--window", expected])
    assert result.exit_code == 2
    assert "--window" in result.output

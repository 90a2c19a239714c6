"""One service under load for all these tests, and a Prometheus that watches it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from persistence.api_keys import issue_key, verify_key
from persistence.deployments.recording import record_promotions
from persistence.engine import open_database
from persistence.monitoring.job_runs import record_job
from persistence.tenants import create_tenant
from registry.client.factory import open_registry
from registry.names import CHALLENGER, PRODUCTION
from scoring.prediction import ModelVersion
from sentinel.operations.drift_monitor import monitor
from tests.support.data.drift import a_model_with_distribution, decide, last_day, payments
from tests.support.data.review import say
from tests.support.data.rules import put_list, put_rule
from tests.support.factories import a_model
from tests.support.observability.observed_service import (
    MODEL,
    THRESHOLD,
    Watched,
    live_through_a_day,
)
from tests.support.observability.prometheus import scraping
from tests.support.stack import KEY_SECRET, publisher, serving


@pytest.fixture(scope="package")
def watched(
    make_database: Callable[..., str],
    migrated_template: str,
    mlflow_server: str,
    tmp_path_factory: pytest.TempPathFactory,
    free_port: Callable[[], int],
) -> Iterator[Watched]:
    """A service that has been through a promotion, a refusal, shadow scores and 10 s of load."""
    home: Path = tmp_path_factory.mktemp("watched")
    database = make_database(template=migrated_template)
    engine = open_database(database)
    publish = publisher(mlflow_server, home)
    tenant = create_tenant(engine, "demo", MODEL)
    key = issue_key(engine, tenant.id, ("score",), KEY_SECRET)
    assert verify_key(engine, key, KEY_SECRET)  # a use, which the first read of the service sees
    review_key = issue_key(engine, tenant.id, ("review", "admin"), KEY_SECRET)
    for number, alias in ((1, PRODUCTION), (2, None)):
        model = a_model_with_distribution(seed=number, threshold=THRESHOLD)
        assert publish(MODEL, model, alias=alias) == number
        version = ModelVersion(MODEL, number)
        record_promotions(engine, [tenant.id], replace(model, version=version))
        decided, *_ = decide(engine, tenant.id, version, payments(500))
    assert list(monitor(engine, open_registry(mlflow_server), [tenant], last_day()))
    say(engine, decided, "false_positive", "the customer called")
    put_rule(engine, tenant.id, name="never", condition="amount < 0")
    put_rule(engine, tenant.id, name="seen", condition="type == 'TRANSFER'", state="shadow")
    put_list(engine, tenant.id, "blocked", ["C-nobody"])
    for job in ("monitor", "maintenance", "backup_dump"):
        record_job(engine, job)
    engine.dispose()
    port = free_port()
    with (
        serving(database, mlflow_server, home, port) as service,
        scraping(f"127.0.0.1:{port}", home / "prometheus", free_port()) as prometheus,
    ):
        service.wait_until_ready()
        system = Watched(service, prometheus, publish, key, review_key)
        publish(MODEL, a_model(threshold=THRESHOLD), alias=CHALLENGER)
        live_through_a_day(system, mlflow_server)
        yield system

"""The metrics of the alias follower: who has a model, what challenges, when it last followed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from sqlalchemy import Engine

from observability.deployment_metrics import DeploymentMetrics
from observability.runtime_metrics import LiveMetrics
from persistence.tenants import create_tenant, set_test_mode
from registry.client.factory import open_registry
from registry.names import CHALLENGER
from registry.store.model_store import ModelStore
from serving.deployment.alias_follower import AliasFollower
from serving.deployment.recorder import DeploymentRecorder, RefusalRecorder
from serving.deployment.tenant_settings import TenantSettings
from tests.support.factories import a_model
from tests.support.stack import Publish


def series(follower: AliasFollower) -> dict[str, float]:
    """Return the exposed series of the deployments by name and labels."""
    metrics = DeploymentMetrics(
        follower.has_model,
        follower.challengers,
        lambda: follower.faults,
        lambda: follower.followed_at_s,
    )
    lines = LiveMetrics({}, dict, metrics).exposition().splitlines()
    parts = (line.rpartition(" ") for line in lines if line.startswith("sentinel_"))
    return {name: float(value) for name, _, value in parts}


def test_a_process_reports_who_has_a_model_and_when_it_last_followed(
    engine: Engine,
    service_engine: Engine,
    mlflow_server: str,
    publish: Publish,
    tmp_path: Path,
    free_port: Callable[[], int],
) -> None:
    model = f"fraud-{uuid4().hex[:8]}"
    create_tenant(engine, "served", model)
    create_tenant(engine, "waiting", f"{model}-none")
    create_tenant(engine, "tests", f"{model}-none", is_test=True)
    publish(model)
    challenger = publish(model, a_model(seed=1), alias=CHALLENGER)
    store = ModelStore(open_registry(mlflow_server), tmp_path / "models")
    follower = AliasFollower(
        store,
        DeploymentRecorder(service_engine, store),
        TenantSettings(service_engine),
        RefusalRecorder(service_engine),
        60.0,
    )
    assert "sentinel_aliases_followed_timestamp_seconds" not in series(follower)
    follower.refresh()
    samples = series(follower)
    followed_at = samples.pop("sentinel_aliases_followed_timestamp_seconds")
    expected = {
        'sentinel_tenant_has_model{tenant="served"}': 1,
        'sentinel_tenant_has_model{tenant="waiting"}': 0,
        f'sentinel_challenger_version{{model="{model}"}}': challenger,
    }
    assert samples == expected

    follower.refresh()
    assert series(follower)["sentinel_aliases_followed_timestamp_seconds"] > followed_at
    # Without MLflow the versions stay, and the time stands still.
    followed_at = series(follower)["sentinel_aliases_followed_timestamp_seconds"]
    store._reader = open_registry(f"http://127.0.0.1:{free_port()}")
    set_test_mode(engine, "waiting", True)
    follower.refresh()
    samples = series(follower)
    assert samples["sentinel_aliases_followed_timestamp_seconds"] == followed_at
    assert 'sentinel_tenant_has_model{tenant="waiting"}' not in samples
    assert samples['sentinel_tenant_has_model{tenant="served"}'] == 1

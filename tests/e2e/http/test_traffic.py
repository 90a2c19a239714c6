"""docs/traffic.py sends the payments of whatever event type the tenant has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from persistence.api_keys import issue_key
from persistence.tenants import create_tenant
from scoring.event_type.fields import EventType
from scoring.transaction import PAYSIM
from tests.support.data.card_payments import PAYMENT, generated_payments
from tests.support.data.own_events import put_in_force
from tests.support.own_models import STATELESS, a_model_of, features_of
from tests.support.paths import PROJECT
from tests.support.stack import KEY_SECRET
from tests.support.system import System

NO_CHANNEL = {name: text for name, text in STATELESS.items() if name != "channel"}


@pytest.fixture(scope="module")
def system(shared_system: System) -> System:
    return shared_system


def traffic(system: System, key: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the script as its page says."""
    url = str(system.service.client.base_url)
    return subprocess.run(
        [sys.executable, "docs/traffic.py", *arguments],
        cwd=PROJECT,
        env={**os.environ, "SENTINEL_URL": url, "SENTINEL_API_KEY": key, "PYTHONPATH": "."},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_last_events_of_a_file_are_scored_and_labelled(system: System, tmp_path: Path) -> None:
    model = f"{system.model}-traffic"
    tenant = create_tenant(system.engine, "traffic", model)
    put_in_force(system.engine, tenant, PAYMENT)
    system.publish(model, a_model_of(features_of(NO_CHANNEL, PAYMENT)))
    key = issue_key(system.engine, tenant.id, ("score", "review"), KEY_SECRET)
    file = tmp_path / "payments.parquet"
    table = generated_payments(1_500)
    pq.write_table(table, file)
    body = {"TX_DATETIME": "2024-01-01T00:00:00Z", "CUSTOMER_ID": 1, "TERMINAL_ID": 1}
    system.service.child.wait_until(
        lambda: system.service.post("/score", {**body, "TX_AMOUNT": 1}, key).is_success, 20
    )

    without = traffic(system, key)
    assert without.returncode == 1
    assert without.stderr == (
        "Error: The tenant sends card_payment, which cannot be simulated: name a labelled file of "
        "its events with --data.\n"
    )

    done = traffic(system, key, "1000", "--data", str(file))
    assert done.returncode == 0, done.stderr
    frauds = sum(table["TX_FRAUD"].to_pylist()[500:])
    assert f"1,000 payments scored; {frauds} frauds confirmed, " in done.stdout
    (labels,) = system.rows(
        "SELECT count(*) FROM labels WHERE tenant_id = :tenant AND label = 'fraud'",
        tenant=tenant.id,
    )
    assert labels["count"] == frauds
    (sent,) = system.rows(
        "SELECT min(fields->>'TX_DATETIME') FROM transactions"
        " WHERE tenant_id = :tenant AND fields->>'TX_DATETIME' > '2024-01-02'",
        tenant=tenant.id,
    )
    assert sent["min"] == f"{table['TX_DATETIME'][500].as_py().isoformat()}Z"


@pytest.mark.parametrize("before", [None, PAYMENT], ids=["built-in", "after-another"])
def test_a_tenant_of_paysim_gets_a_simulated_month(
    system: System, before: EventType | None, request: pytest.FixtureRequest
) -> None:
    slug = f"traffic-{request.node.callspec.id}"
    tenant = create_tenant(system.engine, slug, system.model)
    if before:
        put_in_force(system.engine, tenant, before)
        put_in_force(system.engine, tenant, PAYSIM, replace=True)
    key = issue_key(system.engine, tenant.id, ("score", "review"), KEY_SECRET)
    body = {
        "step": 1, "type": "TRANSFER", "amount": 1, "nameOrig": "C1", "oldbalanceOrg": 1,
        "nameDest": "C2", "oldbalanceDest": 1,
    }  # fmt: skip
    system.service.child.wait_until(lambda: system.service.post("/score", body, key).is_success, 20)
    done = traffic(system, key, "1000", "--seed", "12")
    assert done.returncode == 0, done.stderr
    assert " payments scored; " in done.stdout

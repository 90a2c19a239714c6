"""The Python client, and its fake, against the same expectations; its wheel and its README."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from persistence.api_keys import issue_key
from persistence.tenants import find_tenant
from sentinel_client import (
    AsyncClient,
    Client,
    Forbidden,
    IdempotencyMismatch,
    InvalidRequest,
    Label,
    NotFound,
    Unauthenticated,
)
from sentinel_client.testing import FakeSentinel
from tests.support.paths import PROJECT
from tests.support.stack import KEY_SECRET
from tests.support.system import System

PACKAGE = PROJECT / "clients" / "python"


@pytest.fixture(scope="module")
def system(shared_system: System) -> System:
    """The shared service: nothing here changes the tenant or its model."""
    return shared_system


@pytest.fixture(scope="module")
def key(system: System) -> str:
    """A key that may score and review."""
    tenant = find_tenant(system.engine, "demo")
    return issue_key(system.engine, tenant.id, ("score", "review"), KEY_SECRET)


@pytest.fixture(params=["service", "fake"])
def client(request: pytest.FixtureRequest, system: System, key: str) -> Iterator[Client]:
    """A client of the real service, and one of the fake."""
    if request.param == "service":
        made = Client(system.service.url, key)
    else:
        made = Client("http://fake", "any", transport=FakeSentinel().transport)
    with made:
        yield made


def payment(**changes: Any) -> dict[str, Any]:
    return {
        "step": 312,
        "type": "TRANSFER",
        "amount": 461730.10,
        "nameOrig": "C1",
        "oldbalanceOrg": 461730.10,
        "nameDest": "C553264065",
        "oldbalanceDest": 0.0,
        "external_id": f"order-{uuid4()}",
    } | changes


def test_a_payment_is_decided_explained_labelled_and_found(client: Client) -> None:
    sent = payment()
    decision = client.score(sent)
    assert client.score(sent).prediction_id == decision.prediction_id
    explained = client.explain(prediction_id=decision.prediction_id)
    assert explained.score == decision.score
    (label,) = client.send_labels(
        [Label(label="fraud", source="chargeback", external_id=sent["external_id"])]
    )
    assert label.transaction_id == decision.transaction_id
    given = client.give_feedback(decision.transaction_id, "confirmed_fraud", "Not theirs.")
    assert given.label == "confirmed_fraud"
    (found,) = client.transactions(external_id=sent["external_id"])
    assert found.transaction["external_id"] == sent["external_id"]
    assert found.prediction_id == decision.prediction_id


def test_another_payment_under_the_same_id_is_refused(client: Client) -> None:
    sent = payment()
    client.score(sent)
    with pytest.raises(IdempotencyMismatch):
        client.score(sent | {"amount": 1.0})


def test_a_batch_with_a_key_is_decided_once(client: Client) -> None:
    batch = [payment(external_id=None) for _ in range(3)]
    for one in batch:
        del one["external_id"]
    key = str(uuid4())
    first = client.score_batch(batch, key=key)
    again = client.score_batch(batch, key=key)
    assert [one.prediction_id for one in first] == [one.prediction_id for one in again]


def test_what_is_not_there_is_not_found(client: Client) -> None:
    with pytest.raises(NotFound):
        client.explain(prediction_id=uuid4())
    with pytest.raises(NotFound):
        client.give_feedback(uuid4(), "escalated", "Unknown.")


def test_the_service_names_a_wrong_field_key_and_scope(system: System, key: str) -> None:
    with Client(system.service.url, key) as client:
        with pytest.raises(InvalidRequest) as caught:
            client.score(payment(amount=-1))
        assert [one.field for one in caught.value.fields] == ["amount"]
        assert caught.value.request_id
    with Client(system.service.url, "sk_wrong") as client, pytest.raises(Unauthenticated):
        client.score(payment())
    with Client(system.service.url, system.key) as client, pytest.raises(Forbidden):
        list(client.transactions(account="C1"))


def test_every_page_of_the_service_is_read_once(system: System, key: str) -> None:
    with Client(system.service.url, key) as client:
        account = f"C{uuid4().int % 10**12}"
        sent = client.score_batch([payment(nameOrig=account) for _ in range(5)])
        found = list(client.transactions(account=account, limit=2))
    assert sorted(str(one.transaction_id) for one in found) == sorted(
        str(one.transaction_id) for one in sent
    )


def test_the_async_client_decides_many_at_once(system: System, key: str) -> None:
    async def decide() -> set[str]:
        async with AsyncClient(system.service.url, key) as client:
            decisions = await asyncio.gather(*(client.score(payment()) for _ in range(20)))
        return {str(one.prediction_id) for one in decisions}

    assert len(asyncio.run(decide())) == 20


def test_the_wheel_has_the_package_its_types_and_two_dependencies(tmp_path: Path) -> None:
    # Setuptools writes into the folder that it builds.
    source = shutil.copytree(PACKAGE, tmp_path / "source")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index"),
            *("--no-build-isolation", "--wheel-dir", str(tmp_path), str(source)),
        ],
        check=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (metadata,) = (one for one in names if one.endswith("METADATA"))
        text = archive.read(metadata).decode()
    modules = {f"sentinel_client/{path.name}" for path in PACKAGE.glob("src/sentinel_client/*.py")}
    assert modules | {"sentinel_client/py.typed"} <= names
    assert re.findall(r"^Requires-Dist: (\w+)", text, re.M) == ["httpx", "pydantic"]


def test_the_readme_runs_as_printed(system: System, key: str) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", (PACKAGE / "README.md").read_text(), re.S)
    program = (
        block.replace("https://sentinel.example", system.service.url)
        .replace("sk_...", key)
        .replace("order-1", f"order-{uuid4()}")
    )
    exec(compile(program, "README.md", "exec"), {})  # noqa: S102 - the page's own program

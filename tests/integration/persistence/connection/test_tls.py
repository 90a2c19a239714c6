"""A connection with `sslmode=verify-full` goes to the named server alone, encrypted.

The certificates are made by the commands of docs/operations-tls.md, as printed.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from persistence.decisions.writer import DecisionLog
from persistence.deployments.recording import record_promotions
from persistence.engine import open_database
from persistence.maintenance.migrate import current_revision, head_revision
from persistence.tenants import create_tenant
from scoring.errors import StoreUnavailable
from scoring.prediction import ModelVersion
from tests.support.docs_runner import Guide
from tests.support.factories import a_decision, a_model
from tests.support.postgres.proxy import Proxy
from tests.support.postgres.tls_front import TlsFront


def certificates(folder: Path) -> Path:
    """Run the guide's commands in a new folder, for the host `localhost`."""
    (folder / "certificates").mkdir(parents=True)
    variables = {"DATABASE_HOST": "localhost", "CERTIFICATES": str(folder / "certificates")}
    Guide(Path("/usr/bin"), folder, variables).run("certificate")
    return folder / "certificates"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificates of the database."""
    return certificates(tmp_path_factory.mktemp("own"))


@pytest.fixture
def front(database: str, own: Path) -> Iterator[TlsFront]:
    with TlsFront(database, own / "server.crt", own / "server.key") as front:
        yield front


def test_decisions_are_stored_over_a_verified_connection(
    front: TlsFront, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGSSLROOTCERT", str(own / "ca.crt"))
    engine = open_database(front.url(sslmode="verify-full"))
    assert current_revision(engine) == head_revision()
    tenant = create_tenant(engine, "demo", "fraud-demo")
    record_promotions(engine, [tenant.id], a_model(version=ModelVersion("fraud-demo", 1)))
    decision = a_decision(tenant.id)
    assert DecisionLog(engine).write([decision]) == [decision]
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        assert driver.pgconn.ssl_in_use
        assert connection.execute(text("SELECT count(*) FROM tenants")).scalar_one() == 1
    engine.dispose()


def refused(url: str) -> str:
    """Return the reason for which a connection is refused."""
    engine = open_database(url)
    with pytest.raises(StoreUnavailable) as refusal:
        current_revision(engine)
    engine.dispose()
    causes = []
    cause: BaseException | None = refusal.value
    while cause is not None:
        causes.append(str(cause))
        cause = cause.__cause__
    return "\n".join(causes)


def test_a_certificate_of_another_authority_is_refused(front: TlsFront, tmp_path: Path) -> None:
    other = certificates(tmp_path)
    reason = refused(front.url(sslmode="verify-full", sslrootcert=str(other / "ca.crt")))
    assert "certificate verify failed" in reason


def test_a_certificate_of_another_host_is_refused(front: TlsFront, own: Path) -> None:
    url = front.url(host="127.0.0.1", sslmode="verify-full", sslrootcert=str(own / "ca.crt"))
    assert 'does not match host name "127.0.0.1"' in refused(url)


def test_without_the_authoritys_certificate_nothing_is_sent(
    front: TlsFront, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("PGSSLROOTCERT", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    missing = str(tmp_path / "missing.crt")
    reason = refused(front.url(sslmode="verify-full", sslrootcert=missing))
    assert f'root certificate file "{missing}" does not exist' in reason


def test_a_server_without_tls_is_refused(database: str, own: Path) -> None:
    with Proxy(database) as plain:
        url = f"{plain.url}?sslmode=verify-full&sslrootcert={own / 'ca.crt'}"
        assert "server does not support SSL" in refused(url)


def test_the_keys_are_readable_by_their_owner_alone(own: Path) -> None:
    assert {path.stat().st_mode & 0o077 for path in own.glob("*.key")} == {0}
    names = subprocess.run(
        ["openssl", "x509", "-in", own / "server.crt", "-noout", "-ext", "subjectAltName"],
        capture_output=True,
        text=True,
        check=True,
        env=dict(os.environ),
    )
    assert "DNS:localhost" in names.stdout

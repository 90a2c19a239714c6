"""The backups of docs/operations.md, made and restored by its own commands."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from persistence.engine import open_database
from persistence.maintenance.maintenance import maintain
from persistence.maintenance.migrate import head_revision
from persistence.monitoring.database_state import read_state
from persistence.tenancy import SERVICE_ROLE
from sentinel.local.postgres.os_account import postgres_account
from tests.support.deploy.operated_system import Bank, Held
from tests.support.docs_runner import Guide
from tests.support.factories import a_body, a_model
from tests.support.postgres.server import BINARIES, HOST, Server
from tests.support.stack import Service, publisher, serving

Serve = Callable[[Bank], AbstractContextManager[Service]]
DECISIONS = {"dump": 45, "point": 46}


@dataclass(frozen=True)
class Restored:
    """The bank as one of its backups has brought it back; what the tools had to say."""

    bank: Bank
    how: str
    complaints: str
    contents: Held

    @property
    def expected(self) -> Held:
        """What it held when it was backed up."""
        return self.bank.held[self.how]


@pytest.fixture(scope="module")
def serve(
    mlflow_server: str, tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]
) -> Serve:
    """A factory of services that log in as the guide's service does, each with an empty home."""

    def start(bank: Bank) -> AbstractContextManager[Service]:
        return serving(
            bank.secret("service-url"),
            mlflow_server,
            tmp_path_factory.mktemp("service"),
            free_port(),
            SENTINEL_KEY_SECRET=bank.secret("key-secret"),
        )

    return start


@pytest.fixture(scope="module")
def bank(
    mlflow_server: str,
    tmp_path_factory: pytest.TempPathFactory,
    free_port: Callable[[], int],
    serve: Serve,
) -> Iterator[Bank]:
    """Set up by the guide, used, backed up both ways, and lost."""
    with ExitStack() as stack:
        # Not tmp_path_factory, see make_home.
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sentinel-")))
        server = Server(home, free_port(), postgres_account(home))
        stack.callback(server.destroy)
        secrets, wal, backups = (server.make_folder(name) for name in ("secrets", "wal", "base"))
        variables = {
            "DATABASE_HOST": HOST,
            "DATABASE_PORT": str(server.port),
            "DATABASE_SSLMODE": "disable",  # the embedded binaries are built without TLS
            "MLFLOW_TRACKING_URI": mlflow_server,
            "SENTINEL_HOME": str(tmp_path_factory.mktemp("operator")),
            "SECRETS": str(secrets),
            "PGSERVICEFILE": str(secrets / "pg_service.conf"),
            "WAL": str(wal),
            "BASE": str(backups / "2026-11-23"),
            "BACKUP": str(tmp_path_factory.mktemp("dumps") / "2026-11-23"),
            "PGDATA": str(server.data),
        }
        bank = Bank(server, Guide(BINARIES, tmp_path_factory.mktemp("guide"), variables))
        (secrets / "admin-password").write_text(server.password)
        server.account.give(secrets / "admin-password")
        bank.guide.run("secrets", account=server.account)
        server.create()
        publish = publisher(mlflow_server, tmp_path_factory.mktemp("training"))
        bank.set_up(lambda name: publish(name, a_model(seed=3)))
        with serve(bank) as service:
            service.wait_until_ready()
            bank.use(service)
        bank.lose_everything()
        yield bank


@pytest.fixture(scope="module", params=["dump", "point"])
def restored(bank: Bank, request: pytest.FixtureRequest) -> Iterator[Restored]:
    """The bank as the guide's commands restore it from one of its backups."""
    how = str(request.param)
    if how == "dump":
        bank.server.create()
        complaints = bank.guide.run("restore-dump").stderr
    else:
        bank.server.make_folder("data")
        complaints = bank.guide.run("restore-point", account=bank.server.account).stderr
        bank.guide.run("after-point")
    yield Restored(bank, how, complaints, bank.look())
    bank.server.destroy()


def test_every_row_from_before_the_backup_is_there_and_none_from_after(restored: Restored) -> None:
    assert restored.contents.rows == restored.expected.rows
    decided = sum(
        n for name, (n, _) in restored.contents.rows.items() if name[:12] == "predictions_"
    )
    assert decided == DECISIONS[restored.how]


def test_policies_grants_triggers_partitions_and_roles_are_the_same(restored: Restored) -> None:
    assert restored.contents.schema == restored.expected.schema
    assert "FORCE ROW LEVEL SECURITY" in restored.contents.schema
    assert f"GRANT SELECT ON TABLE public.audit_log TO {SERVICE_ROLE}" in restored.contents.schema
    assert restored.contents.roles == restored.expected.roles
    assert "SCRAM-SHA-256" in restored.contents.roles


def test_the_restore_reports_no_error_but_the_existing_superuser(restored: Restored) -> None:
    errors = re.findall(r"(?:ERROR|WARNING|error|warning): +(.*)", restored.complaints)
    assert errors == ['role "postgres" already exists'] * (restored.how == "dump")


def test_the_guides_check_passes_and_a_stored_decision_comes_out_the_same(
    restored: Restored,
) -> None:
    output = restored.bank.guide.run("check-rows", "operator", "check").stdout
    assert f"The database is at revision {head_revision()}." in output
    assert f", of {DECISIONS[restored.how]}\n" in output
    assert "row-level security is missing" not in output
    assert "fraud-acme version 1 repeats it to the last bit" in output


def test_the_service_reads_the_backups_and_the_archiving(restored: Restored) -> None:
    service = open_database(restored.bank.secret("service-url"), pool_size=1)
    state = read_state(service)
    service.dispose()
    # Each backup was recorded after it was taken.
    jobs = {"dump": {"backup_base"}, "point": {"backup_base", "backup_dump"}}
    assert state.job_runs.keys() == jobs[restored.how]
    assert (state.archiver is not None) is (restored.how == "point")


def test_maintenance_makes_and_drops_months_after_a_restore(restored: Restored) -> None:
    owner = open_database(restored.bank.secret("owner-url"), pool_size=2)
    later = datetime.now(UTC) + timedelta(days=62)
    lines: list[str] = []
    maintain(owner, later, report=lines.append)
    assert any(line.startswith("Created the partitions of") for line in lines)
    maintain(owner, later, retain_months=1, dry_run=True, report=lines.append)
    owner.dispose()
    assert "with its decisions" in lines[-1]


def test_the_owner_cannot_dump_because_of_row_level_security(restored: Restored) -> None:
    dump = "! pg_dump --dbname=service=owner --file=/dev/null"
    output = restored.bank.guide.run(then=dump).stderr
    assert "would be affected by row-level security policy" in output


def test_the_service_answers_a_repeated_payment_with_the_stored_decision(
    restored: Restored, serve: Serve
) -> None:
    bank = restored.bank
    with serve(bank) as service:
        service.wait_until_ready()
        for external_id, (body, reply) in bank.asked.items():
            again = bank.ask(service, "/score", body).json()
            is_stored = external_id != "after-the-dump" or restored.how == "point"
            assert (again["prediction_id"] == reply["prediction_id"]) is is_stored
            same = {name: again[name] for name in reply if is_stored and name != "latency_ms"}
            assert same.items() <= reply.items()
        # Identities go on where they were.
        assert bank.ask(service, "/score", a_body(amount=99.5)).status_code == 200
        bank.review(service, "early-1")
        # Revoked after the dump, before the point.
        worklist = service.client.get(
            "/queue", headers={"Authorization": f"Bearer {bank.secret('leaked-key')}"}
        )
        assert worklist.status_code == {"dump": 200, "point": 401}[restored.how]


def test_the_guides_check_finds_a_table_that_lost_its_row_level_security(
    restored: Restored,
) -> None:
    with restored.bank.server.connect("sentinel") as connection:
        connection.execute("ALTER TABLE feedback NO FORCE ROW LEVEL SECURITY")
    output = restored.bank.guide.run("check-rows").stdout
    assert "row-level security is missing: feedback" in output

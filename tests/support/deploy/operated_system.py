"""A system that docs/operations.md sets up, uses, backs up and loses."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
from psycopg import sql

from tests.support.docs_runner import Guide
from tests.support.factories import a_body
from tests.support.postgres.server import Server
from tests.support.stack import Service

LEAK = 'sentinel keys issue --tenant acme --scopes review > "$SECRETS/leaked-key"'
REVOKE = 'sentinel keys revoke --tenant acme "$(cat "$SECRETS/leaked-key")"'
SCHEMA = "pg_dump --schema-only --create --restrict-key=x -d service=backup"
ROLES = "pg_dumpall --globals-only --restrict-key=x -d service=admin"


@dataclass(frozen=True)
class Held:
    """The server's contents at a moment, read without a backup.

    Attributes:
        rows: number of rows of each table, and a digest of all of them.
        schema: schema dump with policies, grants, triggers, partitions.
        roles: dump of the roles with the hashes of their passwords.
    """

    rows: dict[str, tuple[int, str]]
    schema: str
    roles: str


@dataclass
class Bank:
    """The system, and what is kept when its server is lost.

    Attributes:
        asked: request body and reply by external_id.
        held: contents that each backup has to restore, by the backup's name.
    """

    server: Server
    guide: Guide
    asked: dict[str, tuple[dict[str, Any], dict[str, Any]]] = field(default_factory=dict)
    held: dict[str, Held] = field(default_factory=dict)

    def secret(self, name: str) -> str:
        """Read a file of the folder of secrets."""
        return (Path(self.guide.variables["SECRETS"]) / name).read_text().strip()

    def look(self) -> Held:
        """Read every row, the schema and the roles."""
        with self.server.connect("sentinel") as connection:
            tables = connection.execute(
                "SELECT relname FROM pg_class WHERE relkind = 'r'"
                " AND relnamespace = 'public'::regnamespace"
            ).fetchall()
            # A key's last use is noted some time after it.
            digest = sql.SQL(
                "SELECT count(*), coalesce(md5(string_agg(row, '' ORDER BY row)), '')"
                " FROM (SELECT (to_jsonb(t) - 'last_used_at')::text AS row FROM {} t)"
            )
            rows = {}
            for (name,) in tables:
                count, of_all = one(connection, digest.format(sql.Identifier(name)))
                rows[name] = (count, of_all)
        schema, roles = (self.guide.run(then=dump).stdout for dump in (SCHEMA, ROLES))
        return Held(rows, schema, roles)

    def ask(self, service: Service, path: str, body: Any, key: str = "acme-key") -> httpx.Response:
        """POST with a key."""
        return service.post(path, body, self.secret(key))

    def score(self, service: Service, external_id: str, amount: float) -> None:
        """Score a payment and keep the reply."""
        body = a_body(external_id=external_id, amount=amount)
        reply = self.ask(service, "/score", body)
        assert reply.status_code == 200, reply.text
        self.asked[external_id] = (body, reply.json())

    def set_up(self, publish: Callable[[str], object]) -> None:
        """Follow the guide to a model in production and a first base backup."""
        self.guide.run("roles")
        self.guide.run("archive")
        self.server.stop()
        self.server.start()
        self.guide.run("operator", then="sentinel db upgrade")
        self.guide.run("operator", "tenant", then=LEAK)
        publish("fraud-acme")
        self.guide.run("base", account=self.server.account)
        self.guide.run("base-done")

    def use(self, service: Service) -> None:
        """Score, review, change the policy, dump, and score again."""
        for number in range(4):
            self.score(service, f"early-{number}", 1000.5 * (1 + number))
        many = {"transactions": [a_body(amount=7.0 + row) for row in range(40)]}
        assert self.ask(service, "/score/batch", many).status_code == 200
        self.review(service, "early-0")
        headers = {"Authorization": f"Bearer {self.secret('acme-key')}"}
        changed = service.client.put("/policy", json={"threshold": 0.02}, headers=headers)
        assert changed.status_code == 200, changed.text
        self.score(service, "at-the-new-threshold", 181_250.75)
        self.held["dump"] = self.look()
        self.guide.run("dump")
        self.guide.run("dump-done")
        self.score(service, "after-the-dump", 12_345.67)
        self.guide.run("operator", then=REVOKE)
        self.held["point"] = self.look()

    def review(self, service: Service, external_id: str) -> None:
        """Post feedback on a payment."""
        _, reply = self.asked[external_id]
        verdict = {"label": "confirmed_fraud", "rationale": "the customer called"}
        given = self.ask(service, f"/transactions/{reply['transaction_id']}/feedback", verdict)
        assert given.status_code == 201, given.text

    def lose_everything(self) -> None:
        """Empty the tables by mistake, and lose the server once that is archived."""
        with self.server.connect("sentinel") as connection:
            (until,) = one(connection, "SELECT clock_timestamp()::text")
            self.guide.variables["UNTIL"] = until
            time.sleep(0.05)
            connection.execute("TRUNCATE transactions CASCADE")
            (segment,) = one(connection, "SELECT pg_walfile_name(pg_switch_wal())")
        archived = Path(self.guide.variables["WAL"]) / segment
        deadline = time.monotonic() + 30
        while not archived.exists():
            assert time.monotonic() < deadline, "the write-ahead log is not archived"
            time.sleep(0.05)
        self.server.destroy()


def one(connection: psycopg.Connection[Any], statement: Any) -> tuple[Any, ...]:
    """The only row of a statement."""
    (row,) = connection.execute(statement).fetchall()
    result: tuple[Any, ...] = row
    return result

"""The settings of a connection's transactions, and how they are put in force.

Directly connected, they are put in force once for the connection. A pooler (PgBouncer, the proxy of
a cloud provider) drops the start-up options, and hands a server connection to another client after
each transaction or session. So behind one the settings are put in force in each transaction
(docs/decisions/0002-tenancy-in-the-database.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from psycopg import sql

SERVICE_ROLE = "sentinel_service"
"""Role of the service; it owns nothing and cannot bypass row-level security."""
STATEMENT_TIMEOUT_S = 5.0
TRANSACTION_STATEMENTS = 6
"""Longest transaction of the service, in statements that each take the whole time-out. It frees the
keys and locks of a process that stands still."""


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """Settings of every transaction.

    Attributes:
        role: role that statements run as; None keeps the login's.
        statement_timeout_s: seconds until Postgres cancels a statement, waits for locks included.
        transaction_timeout_s: seconds until Postgres ends a transaction; 0 is never.
    """

    role: str | None
    statement_timeout_s: float
    transaction_timeout_s: float

    def as_sql(self, options: Mapping[str, str], *, is_local: bool) -> bytes:
        """Return the statement that puts the settings in force.

        Args:
            options: further settings by name, applied first.
            is_local: whether they end with the transaction.
        """
        settings = {
            **options,
            "TimeZone": "UTC",
            # The read of a batch's history is estimated at 2.7 times jit_above_cost, and compiling
            # it each time would take longer than it runs.
            "jit": "off",
            "statement_timeout": f"{self.statement_timeout_s * 1e3:.0f}",
            "transaction_timeout": f"{self.transaction_timeout_s * 1e3:.0f}",
            # Values of the login or the database would end what the two above allow.
            "lock_timeout": "0",
            "idle_in_transaction_session_timeout": "0",
            **({"role": self.role} if self.role else {}),
        }
        calls = [
            sql.SQL("set_config({}, {}, {})").format(name, value, is_local)
            for name, value in settings.items()
        ]
        return sql.SQL("SELECT {}").format(sql.SQL(", ").join(calls)).as_bytes(None)


def service_session(
    role: str = SERVICE_ROLE, statement_timeout_s: float = STATEMENT_TIMEOUT_S
) -> SessionSettings:
    """Return the settings of the service's transactions."""
    return SessionSettings(role, statement_timeout_s, TRANSACTION_STATEMENTS * statement_timeout_s)


def operator_session(statement_timeout_s: float) -> SessionSettings:
    """Return the settings of the transactions of commands, which keep the login's role."""
    return SessionSettings(None, statement_timeout_s, 0.0)

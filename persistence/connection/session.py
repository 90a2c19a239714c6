"""Verify the session that statements run in."""

from __future__ import annotations

from persistence.connection.settings import SessionSettings
from persistence.connection.timeout_connection import TimeoutConnection
from scoring.errors import SchemaMissing, StoreMisconfigured, StoreUnavailable

OLDEST_VERSION = 18

_STATE = """
SELECT current_user, r.rolsuper, r.rolbypassrls,
    current_setting('server_encoding'), current_setting('client_encoding'),
    pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean,
    current_setting('synchronous_commit'),
    extract(epoch FROM current_setting('statement_timeout')::interval)::float8,
    extract(epoch FROM current_setting('transaction_timeout')::interval)::float8,
    extract(epoch FROM current_setting('lock_timeout')::interval)::float8
FROM pg_roles r WHERE r.rolname = current_user
"""


def check_version(connection: TimeoutConnection) -> None:
    """Check that the server has what the settings need.

    Raises:
        StoreMisconfigured: it is older than Sentinel's oldest version.
    """
    version = connection.pgconn.server_version // 10_000
    if version < OLDEST_VERSION:
        raise StoreMisconfigured(
            f"Sentinel needs Postgres {OLDEST_VERSION} or newer; this server is {version}."
        )


def check_session(connection: TimeoutConnection, settings: SessionSettings) -> None:
    """Check the running transaction against the settings.

    A connection that acts as the service (`settings.role`) must not bypass row-level security, and
    must be able to store a decision durably.

    Raises:
        StoreMisconfigured: a role, an encoding or a setting must be changed first.
        StoreUnavailable: the server only reads, as a standby does.
    """
    row = connection.execute(_STATE, prepare=False).fetchone()
    if row is None:
        raise SchemaMissing
    role, is_super, bypasses, server, client, reads_only, durable, *timeouts = row
    for encoding, owner in ((server, "database"), (client, "connection")):
        if encoding != "UTF8":
            raise StoreMisconfigured(
                f"The encoding of the {owner} is {encoding}, and must be UTF8: create the database"
                " with ENCODING 'UTF8' TEMPLATE template0."
            )
    wanted = [settings.statement_timeout_s, settings.transaction_timeout_s, 0.0]
    if [round(seconds, 3) for seconds in timeouts] != [round(seconds, 3) for seconds in wanted]:
        raise StoreMisconfigured(
            f"The time-outs of statement, transaction and lock are {timeouts} s instead of"
            f" {wanted} s: a pooler between Postgres and this process changes them."
        )
    if settings.role is None:
        return
    if role != settings.role:
        raise StoreMisconfigured(
            f"Statements run as the role {role} instead of {settings.role}: a pooler between"
            " Postgres and this process changes it."
        )
    if is_super or bypasses:
        attributes = " and ".join(
            name for name, has in (("SUPERUSER", is_super), ("BYPASSRLS", bypasses)) if has
        )
        raise StoreMisconfigured(
            f"The role {role} has {attributes}, so tenants would see each other's rows: run"
            f" ALTER ROLE {role} NOSUPERUSER NOBYPASSRLS."
        )
    if durable == "off":
        raise StoreMisconfigured(
            "synchronous_commit is off, so a decision could be lost after its reply: set it to on"
            " for the database and the login."
        )
    if reads_only:
        raise StoreUnavailable(
            "Postgres only reads; try again shortly.",
            reason="Postgres only reads: it is a standby, or default_transaction_read_only is on."
            " Set DATABASE_URL to the primary, or name all servers: host1,host2.",
        )

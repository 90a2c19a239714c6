"""A real PgBouncer between the client and Postgres, in any of its modes."""

from __future__ import annotations

import os
import pwd
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from sentinel.local.processes import Child
from tests.support.postgres.proxy import Proxy
from tools.pgbouncer import environment, find


class Pooler(NamedTuple):
    """A running PgBouncer.

    Attributes:
        url: URL of the database through it.
        proxy: proxy between it and Postgres.
    """

    url: str
    proxy: Proxy


@contextmanager
def pooled(
    database: str,
    home: Path,
    port: int,
    **settings: object,
) -> Iterator[Pooler]:
    """Run a PgBouncer in front of a database until the block ends.

    Args:
        database: URL of a database of the embedded Postgres.
        home: folder of its files.
        port: free port.
        settings: lines of `[pgbouncer]`.
    """
    parts = urlsplit(database)
    assert parts.username
    assert parts.password
    (home / "users.txt").write_text(f'"{parts.username}" "{unquote(parts.password)}"\n')
    chosen = {
        "listen_addr": "127.0.0.1",
        "listen_port": port,
        "unix_socket_dir": "",
        "auth_type": "scram-sha-256",
        "auth_file": home / "users.txt",
        "pool_mode": "transaction",
        # One server connection only, so that every client meets what another has left on it.
        "default_pool_size": 1,
        "server_login_retry": 1,
        **settings,
    }
    if os.geteuid() == 0:  # PgBouncer refuses to run as root
        chosen["user"] = "nobody"
        nobody = pwd.getpwnam("nobody")
        for path in (home, home / "users.txt"):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
    with Proxy(database) as proxy:
        upstream = urlsplit(proxy.url).port
        lines = [f"{name} = {value}" for name, value in chosen.items()]
        (home / "pgbouncer.ini").write_text(
            f"[databases]\n* = host=127.0.0.1 port={upstream}\n[pgbouncer]\n"
            + "\n".join(lines)
            + "\n"
        )
        child = Child(
            "PgBouncer",
            [str(find()), str(home / "pgbouncer.ini")],
            log=home / "pgbouncer.log",
            environment=environment(),
            directory=home,
        )
        try:
            child.wait_until(lambda: _listens(port), 20)
            login = parts.netloc.rpartition("@")[0]
            yield Pooler(f"postgresql://{login}@127.0.0.1:{port}{parts.path}", proxy)
        finally:
            child.stop()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0

"""Offers TLS in front of the embedded Postgres, whose binaries are built without it.

It answers a client's SSLRequest as Postgres does, and passes what comes out of the handshake on:
https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, urlsplit

_SSL_REQUEST = (8).to_bytes(4) + (80877103).to_bytes(4)
_BUFFER = 1 << 16


class TlsFront:
    """Forwards TLS connections from a port of localhost to a Postgres; a context manager.

    Args:
        database: URL of the embedded Postgres, which listens on a socket.
        certificate: certificate of the front, PEM.
        key: its private key, PEM.
    """

    def __init__(self, database: str, certificate: Path, key: Path) -> None:
        parts = urlsplit(database)
        query = parse_qs(parts.query)
        self._socket = f"{query['host'][0]}/.s.PGSQL.{query['port'][0]}"
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._login = parts.netloc.rpartition("@")[0]
        self._path = parts.path

    def url(self, host: str = "localhost", **parameters: str) -> str:
        """Return the database's URL through the front."""
        port = self._listener.getsockname()[1]
        query = "&".join(f"{name}={value}" for name, value in parameters.items())
        return f"postgresql://{self._login}@{host}:{port}{self._path}?{query}"

    def __enter__(self) -> Self:
        """Begin to accept."""
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Close the port."""
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if plain.recv(8) != _SSL_REQUEST:
                plain.close()
                return
            plain.sendall(b"S")
            client = self._context.wrap_socket(plain, server_side=True)
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._socket)
            threading.Thread(target=_pump, args=(server, client), daemon=True).start()
            _pump(client, server)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(_BUFFER):
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)

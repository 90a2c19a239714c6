"""A proxy between psycopg and Postgres: counts what the client sends, stalls and cuts the line.

It reads the frontend half of the wire protocol, which is a type byte and a length before each
message: https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from time import sleep
from typing import Self
from urllib.parse import parse_qs, urlsplit

_START = 196608  # protocol 3.0; 3.2 and later differ in the lower half
_BUFFER = 1 << 16
_IDLE = b"Z\0\0\0\5I"
"""Postgres's last message while it waits for a client that is in no transaction."""
_FORGET = b"Q\0\0\0\x13DEALLOCATE ALL\0"
_FORGOTTEN = b"C\0\0\0\x13DEALLOCATE ALL\0" + _IDLE
_FORGET_S = 5.0
_ACCEPT_AGAIN_S = 0.05


@dataclass(slots=True)
class Traffic:
    """What one client sent while it was watched.

    Attributes:
        messages: frontend messages by type: Q(uery), P(arse), B(ind), E(xecute), S(ync) ...
        statements: the text of each Query and Parse.
    """

    messages: Counter[str] = field(default_factory=Counter)
    statements: list[str] = field(default_factory=list)

    @property
    def round_trips(self) -> int:
        """How often the client waited: Query and Sync are what Postgres ends its answer after."""
        return self.messages["Q"] + self.messages["S"]


class Proxy:
    """Forwards connections from a port of the loopback interface to a Postgres.

    Use as a context manager; `url` reaches the same database through it.
    """

    def __init__(self, database: str) -> None:
        """Name the database by the URL of the embedded Postgres, which listens on a socket."""
        parts = urlsplit(database)
        query = parse_qs(parts.query)
        self._socket = f"{query['host'][0]}/.s.PGSQL.{query['port'][0]}"
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        self.url = f"postgresql://{parts.netloc.rpartition('@')[0]}@127.0.0.1:{port}{parts.path}"
        self._open: list[socket.socket] = []
        self._lines: list[_Line] = []
        self._flowing = threading.Event()
        self._flowing.set()
        self._accepts = True
        self._swallow_replies_to: bytes | None = None
        self._lock = threading.Lock()
        self._traffic: Traffic | None = None
        self.taken = 0
        """Number of connections that clients have opened."""
        self.delay_s = 0.0
        """Time after which what Postgres sends goes on to the client."""
        self.swallowed = threading.Event()
        """Set when `cut_before_reply` has cut."""

    def __enter__(self) -> Self:
        """Begin to forward."""
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Close the port and every connection."""
        self._listener.close()
        self._flowing.set()
        self.cut()

    @contextlib.contextmanager
    def watch(self) -> Iterator[Traffic]:
        """Count what clients send while the block runs, all connections together."""
        self._traffic = Traffic()
        try:
            yield self._traffic
        finally:
            self._traffic = None

    @contextlib.contextmanager
    def stalled(self) -> Iterator[None]:
        """Hold every byte back while the block runs: nothing arrives, nothing is refused."""
        self._flowing.clear()
        try:
            yield
        finally:
            self._flowing.set()

    @contextlib.contextmanager
    def refused(self) -> Iterator[None]:
        """Cut every connection and each new one while the block runs."""
        self._accepts = False
        self.cut()
        try:
            yield
        finally:
            self._accepts = True

    def forget_statements(self) -> None:
        """Have every session forget its prepared statements before its next transaction.

        A pooler does so when it gives a session to another client.
        """
        with self._lock:
            for line in self._lines:
                line.forgets = True

    def cut_before_reply(self, to: bytes) -> None:
        """Swallow Postgres's next reply to what contains `to`, and cut the line in its place."""
        self._swallow_replies_to = to

    def disarm(self) -> None:
        """Cut no reply that `cut_before_reply` has asked for and that has not come."""
        self._swallow_replies_to = None

    def cut(self, abruptly: bool = False) -> None:
        """Cut every connection; abruptly: with a reset, as by a process that is killed."""
        with self._lock:
            doomed, self._open = self._open, []
        for end in doomed:
            with contextlib.suppress(OSError):  # it has ended by itself
                if abruptly:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self) -> None:
        while self._listener.fileno() >= 0:
            try:
                client, _ = self._listener.accept()
            except OSError:  # no descriptor is free, the client has gone, or the listener is closed
                sleep(_ACCEPT_AGAIN_S)
                continue
            self._forward(client)

    def _forward(self, client: socket.socket) -> None:
        self.taken += 1
        server: socket.socket | None = None
        try:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if not self._accepts:
                raise ConnectionRefusedError
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._socket)
        except OSError:  # Postgres is away, the client is, or no descriptor is free
            client.close()
            if server is not None:
                server.close()
            return
        with self._lock:
            self._open = [end for end in self._open if end.fileno() >= 0]
            self._open += [client, server]
            self._lines = [line for line in self._lines if not line.has_ended]
            self._lines.append(line := _Line(self, client, server))
        line.start()


class _Line:
    """One client's connection, both directions."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._pending = b""
        self._started = False
        self._doomed = False
        self._ended: set[str] = set()
        self._is_idle = False
        self._forgotten = threading.Event()
        self._forgotten.set()
        self.forgets = False
        """Whether the session is to forget its statements before its next transaction."""

    @property
    def has_ended(self) -> bool:
        """Whether no byte will come in either direction."""
        return len(self._ended) == 2

    def start(self) -> None:
        for pump in (self._upstream, self._downstream):
            threading.Thread(target=pump, daemon=True).start()

    def _upstream(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._client.recv(_BUFFER):
                self._proxy._flowing.wait()
                marker = self._proxy._swallow_replies_to
                if marker is not None and marker in data:
                    self._doomed = True
                self._read(data)
                if self.forgets and self._is_idle:
                    self.forgets = False
                    self._forgotten.clear()
                    self._server.sendall(_FORGET)
                    self._forgotten.wait(_FORGET_S)
                self._is_idle = False
                self._server.sendall(data)
        self._end("upstream", self._server)

    def _downstream(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._server.recv(_BUFFER):
                self._proxy._flowing.wait()
                sleep(self._proxy.delay_s)
                if self._doomed:
                    self._proxy._swallow_replies_to = None
                    self._proxy.swallowed.set()
                    self._proxy.cut()
                    return
                if not self._forgotten.is_set():
                    while _FORGOTTEN not in data and (more := self._server.recv(_BUFFER)):
                        data += more
                    data = data.replace(_FORGOTTEN, b"", 1)
                    self._forgotten.set()
                self._is_idle = data.endswith(_IDLE) or not data
                self._client.sendall(data)
        self._end("downstream", self._client)

    def _end(self, direction: str, other: socket.socket) -> None:
        """End the other direction too; when both have ended, give their descriptors back."""
        with contextlib.suppress(OSError):
            other.shutdown(socket.SHUT_RDWR)
        self._ended.add(direction)
        if self.has_ended:
            self._client.close()
            self._server.close()

    def _read(self, data: bytes) -> None:
        """Take whole messages off the stream; the ones before the login carry no type."""
        self._pending += data
        while True:
            head = 1 if self._started else 0
            if len(self._pending) < head + 4:
                return
            length = head + int.from_bytes(self._pending[head : head + 4])
            if len(self._pending) < length:
                return
            message, self._pending = self._pending[:length], self._pending[length:]
            if not self._started:
                # Requests for encryption come first and are refused by a socket's server.
                self._started = int.from_bytes(message[4:8]) >> 16 == _START >> 16
            elif (traffic := self._proxy._traffic) is not None:
                kind = chr(message[0])
                traffic.messages[kind] += 1
                if kind == "Q":
                    traffic.statements.append(message[5:-1].decode())
                elif kind == "P":
                    traffic.statements.append(message[5:].split(b"\0")[1].decode())

"""A gateway in front of a real MLflow: it demands a login, speaks TLS, and changes replies."""

from __future__ import annotations

import ssl
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Reply = tuple[int, bytes]
_HOP_BY_HOP = {"connection", "transfer-encoding", "content-encoding", "content-length", "host"}


def basic(user: str, password: str) -> str:
    """Return the header of a user and password."""
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


@dataclass
class Seen:
    """A request that arrived: its target as sent, and its headers in lower case."""

    target: str
    headers: dict[str, str]


@dataclass
class Gateway:
    """A running gateway.

    Attributes:
        host: host and port.
        url: address of the gateway.
        demands: value of `Authorization` that it accepts; None accepts any request.
        change: function that gets the decoded target of each request and MLflow's reply, and
            returns the reply that is sent; it may raise or sleep.
        location: address that it redirects to; None: it forwards requests.
        seen: requests that arrived.
    """

    host: str
    url: str
    demands: str | None = None
    change: Callable[[str, Reply], Reply] = lambda _target, reply: reply
    location: str | None = None
    seen: list[Seen] = field(default_factory=list)


@contextmanager
def gateway(mlflow: str, tls: ssl.SSLContext | None = None) -> Iterator[Gateway]:
    """Run a gateway in front of an MLflow; it also serves as a forward proxy for plain HTTP.

    Args:
        mlflow: URL of MLflow with the login that the gateway uses in place of its clients'.
        tls: certificate of the gateway; None: plain HTTP.
    """
    handler = type("Handler", (_Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    host = f"127.0.0.1:{server.server_port}"
    made = Gateway(host, f"{'https' if tls else 'http'}://{host}")
    with httpx.Client(base_url=mlflow, timeout=30, trust_env=False) as client:
        handler.gateway, handler.client = made, client  # type: ignore[attr-defined]
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield made
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    gateway: Gateway
    client: httpx.Client

    def _forward(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.gateway.seen.append(Seen(self.path, dict(headers)))
        body = self.rfile.read(int(headers.get("content-length", 0)))
        if self.gateway.demands and headers.pop("authorization", None) != self.gateway.demands:
            self._send(401, b"You are not authenticated.", {})
            return
        if self.gateway.location:
            self._send(301, b"", {"Location": self.gateway.location + self.path})
            return
        parts = urlsplit(self.path)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        kept = {name: value for name, value in headers.items() if name not in _HOP_BY_HOP}
        reply = self.client.request(self.command, target, headers=kept, content=body)
        status, content = self.gateway.change(
            unquote(target.replace("+", " ")), (reply.status_code, reply.content)
        )
        self._send(status, content, dict(reply.headers))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _forward  # noqa: N815 - http.server's

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in _HOP_BY_HOP | {"date", "server"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Keep requests off the terminal."""


def make_certificate(folder: Path) -> Path:
    """Write a self-signed certificate of 127.0.0.1 with its key, and return the PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path

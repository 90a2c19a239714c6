"""Signed heads: C2SP checkpoints (https://c2sp.org/tlog-checkpoint) signed with Ed25519.

Keys have the form of Go's signed notes (https://c2sp.org/signed-note), so tools of transparency
logs read them. The fourth line of a head, an extension line, has the time of its signature, and the
fifth, where sealing has looked at all rows once, the time before which all are sealed.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from persistence.sealing.errors import SealError

_ED25519 = b"\x01"
_NAME = re.compile(r"[^\s+]+")
_TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Head:
    """The state of a tenant's tree.

    Attributes:
        origin: name of the log: that of the key, and the tenant's slug.
        size: number of leaves.
        root: root of the tree.
        at: time of the signature, to the second.
        complete_at: time before which every row that was committed has a leaf, to the second: the
            begin of the last complete pass over all rows; None: there was none yet.
    """

    origin: str
    size: int
    root: bytes
    at: datetime
    complete_at: datetime | None = None


class Signer:
    """Signs heads.

    Args:
        name: name of the key, such as `bank.example/sentinel`.
        private: 32 bytes of the private key.
    """

    def __init__(self, name: str, private: bytes) -> None:
        self.name = name
        self._key = Ed25519PrivateKey.from_private_bytes(private)
        self._public = self._key.public_key().public_bytes_raw()

    @classmethod
    def generate(cls, name: str) -> tuple[Signer, str]:
        """Return a signer with a new key, and the text that keeps the key.

        Raises:
            SealError: the name is empty, or has a space or a plus sign.
        """
        if not _NAME.fullmatch(name):
            raise SealError(
                f"The name {name!r} of the key must have no spaces and no plus signs, and not be"
                " empty; use an address of yours without a scheme, such as bank.example/sentinel."
            )
        private = Ed25519PrivateKey.generate().private_bytes_raw()
        signer = cls(name, private)
        encoded = base64.b64encode(_ED25519 + private).decode()
        return signer, f"PRIVATE+KEY+{name}+{_key_id(name, signer._public).hex()}+{encoded}\n"

    @classmethod
    def parse(cls, kept: str) -> Signer:
        """Return the signer whose key a text of `generate` keeps.

        Raises:
            SealError: the text is no such key.
        """
        parts = kept.strip().split("+", 4)
        if len(parts) == 5 and parts[:2] == ["PRIVATE", "KEY"]:
            private = _decoded(parts[4])
            if private is not None:
                return cls(parts[2], private)
        raise SealError(
            "The file of the sealing key has no Ed25519 key; `sentinel seal init` makes one."
        )

    @property
    def verifier(self) -> str:
        """The public key in the form in which it is given to auditors."""
        encoded = base64.b64encode(_ED25519 + self._public).decode()
        return f"{self.name}+{_key_id(self.name, self._public).hex()}+{encoded}"

    def origin(self, slug: str) -> str:
        """Return the name of a tenant's log."""
        return f"{self.name}/{slug}"

    def sign(self, head: Head) -> str:
        """Return the signed note of a head."""
        root = base64.b64encode(head.root).decode()
        body = f"{head.origin}\n{head.size}\n{root}\ntime {head.at.astimezone(UTC):{_TIME}}\n"
        if head.complete_at is not None:
            body += f"complete {head.complete_at.astimezone(UTC):{_TIME}}\n"
        signature = _key_id(self.name, self._public) + self._key.sign(body.encode())
        return f"{body}\n\u2014 {self.name} {base64.b64encode(signature).decode()}\n"


class Verifier:
    """Verifies signed heads.

    Args:
        text: public key, as `Signer.verifier` has it.

    Raises:
        SealError: the text is no public key.
    """

    def __init__(self, text: str) -> None:
        # The name has no plus sign, and base64 may have some.
        name, _, rest = text.strip().partition("+")
        key_id, _, encoded = rest.partition("+")
        public = _decoded(encoded)
        if not name or public is None or key_id != _key_id(name, public).hex():
            raise SealError(
                f"{text.strip()!r} is not the public key of a sealed log; `sentinel seal init`"
                " prints it."
            )
        self.name = name
        self._public = public
        self._key = Ed25519PublicKey.from_public_bytes(public)

    def open(self, note: str) -> Head:
        """Return the head of a note.

        Raises:
            SealError: it is no head, or this key did not sign it.
        """
        body, _, signatures = note.partition("\n\n")
        body += "\n"
        for line in signatures.splitlines():
            dash, _, rest = line.partition(" ")
            name, _, encoded = rest.partition(" ")
            signature = _bytes(encoded)
            if dash != "\u2014" or name != self.name or signature is None:
                continue
            if signature[:4] != _key_id(name, self._public):
                continue
            try:
                self._key.verify(signature[4:], body.encode())
            except InvalidSignature:
                raise SealError("its signature is not valid") from None
            return _head(body)
        raise SealError(f"the key {self.name} did not sign it")


def _head(body: str) -> Head:
    try:
        origin, size, root, time, *more = body.split("\n")[:-1]
        complete_at = _time("complete", more[0]) if more else None
        decoded = base64.b64decode(root, validate=True)
        return Head(origin, int(size), decoded, _time("time", time), complete_at)
    except ValueError as error:
        raise SealError("it does not have the lines of a head") from error


def _time(name: str, line: str) -> datetime:
    return datetime.strptime(line, f"{name} {_TIME}").replace(tzinfo=UTC)


def _key_id(name: str, public: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:4]


def _decoded(encoded: str) -> bytes | None:
    """Return the 32 bytes of a key; None: it is none of Ed25519."""
    key = _bytes(encoded)
    return key[1:] if key is not None and len(key) == 33 and key[:1] == _ED25519 else None


def _bytes(encoded: str) -> bytes | None:
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None

"""What a leaf of the sealed log is: a row, of which each field can be withdrawn by itself.

A leaf names its row and holds one commitment to its fields. The commitment is a hash over the
commitments to the single fields, each with a salt of its own, so that a value whose salt is deleted
cannot be guessed, and the leaf still verifies (docs/decisions/0025-sealed-log.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple

import orjson

SALT_BYTES = 32


class Leaf(NamedTuple):
    """What a leaf states.

    Attributes:
        tenant: slug of the tenant.
        kind: kind of row, such as `decision`.
        form: form of the kind, which says what its fields are.
        key: key of the row within its tenant and kind.
        commitment: hash over the commitments to its fields.
    """

    tenant: str
    kind: str
    form: int
    key: str
    commitment: bytes

    def data(self) -> bytes:
        """Return the leaf as canonical JSON (RFC 8785): strings and one small integer, sorted."""
        return canonical(
            {
                "commitment": self.commitment.hex(),
                "form": self.form,
                "key": self.key,
                "kind": self.kind,
                "tenant": self.tenant,
            }
        )


def canonical(document: Mapping[str, object]) -> bytes:
    """Return canonical JSON (RFC 8785) of strings, integers and objects of them."""
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


def field_salt(salt: bytes, name: str) -> bytes:
    """Return the salt of a field, made from that of its row."""
    return sha256(salt + name.encode()).digest()


def commit_field(salt: bytes, name: str, value: str) -> bytes:
    """Return the commitment to a field.

    Args:
        salt: salt of the field, 32 bytes.
        name: name of the field.
        value: value as JSON text.
    """
    return sha256(salt + name.encode() + b"\x00" + value.encode()).digest()


def commit_fields(commitments: Mapping[str, bytes]) -> bytes:
    """Return the commitment to the fields of a row, given the commitment to each."""
    return sha256(canonical({name: one.hex() for name, one in commitments.items()})).digest()


def commit_row(salt: bytes, fields: Mapping[str, str]) -> bytes:
    """Return the commitment to a row.

    Args:
        salt: salt of the row, 32 bytes.
        fields: value as JSON text by name.
    """
    return commit_fields(
        {name: commit_field(field_salt(salt, name), name, v) for name, v in fields.items()}
    )

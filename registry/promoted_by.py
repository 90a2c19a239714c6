"""Who promoted a version, as its tags name them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from registry.client.base import RegisteredVersion
from registry.names import PROMOTED_AT_TAG, PROMOTED_BY_TAG, PROMOTED_VIA_TAG

MAX_USER_LENGTH = 128
MAX_COMMAND_LENGTH = 64


@dataclass(frozen=True, slots=True)
class PromotedBy:
    """The person who promoted a version.

    Attributes:
        user: user of MLflow or of the operating system.
        via: command that the person used, or None.
        at: time of the promotion.
    """

    user: str
    via: str | None
    at: datetime


def promoted_by(version: RegisteredVersion) -> PromotedBy | None:
    """Return who promoted a version; None where its tags name nobody.

    MLflow does not store who sets an alias. Anybody who may set tags may set these three.
    """
    user = _printable(version.tags.get(PROMOTED_BY_TAG, ""), MAX_USER_LENGTH)
    via = _printable(version.tags.get(PROMOTED_VIA_TAG, ""), MAX_COMMAND_LENGTH) or None
    try:
        at = datetime.fromisoformat(version.tags.get(PROMOTED_AT_TAG, ""))
    except ValueError:
        return None
    return PromotedBy(user, via, at.astimezone(UTC)) if user else None


def _printable(text: str, length: int) -> str:
    """Return a text without control characters; Postgres stores no NUL."""
    return "".join(filter(str.isprintable, text)).strip()[:length]

"""The form of a tenant's slug and of the name of its registered model, and its limits."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from dataclasses import dataclass

SLUG_FORM = r"[a-z][a-z0-9-]{1,39}"
"""2 to 40 lower-case letters, digits and dashes, a letter first; the same in Postgres's check."""

_SLUG = re.compile(SLUG_FORM)


@dataclass(frozen=True, slots=True)
class TenantLimits:
    """The payments a second that one process takes of a tenant.

    Attributes:
        tenant: payments of all its API keys; None: no limit.
        key: payments of each API key; None: no limit.
    """

    tenant: int | None = None
    key: int | None = None


def is_slug(text: str) -> bool:
    """Return whether a text has the form of a slug."""
    return _SLUG.fullmatch(text) is not None


MAX_MODEL_NAME = 256
"""Characters that MLflow's column for the name of a registered model holds."""


def model_name_problem(name: str) -> str | None:
    """Return why a name cannot be that of a registered model, as a fragment, or None if it can.

    MLflow refuses a name that is blank, has `/` or `:`, or is `.` or begins with `..`. Beyond that,
    a name is refused that people cannot tell from another one, or that cannot be stored or sent.
    """
    if not name.strip():
        return "must not be blank"
    if len(name) > MAX_MODEL_NAME:
        return f"must have at most {MAX_MODEL_NAME} characters, not {len(name)}"
    for character in "/:":
        if character in name:
            return f"must not contain {character!r}, which MLflow refuses"
    if name.startswith("..") or posixpath.normpath(name) != name or name == ".":
        return "must not be '.' or begin with '..', which MLflow refuses"
    if name != name.strip():
        return "must not begin or end with a space"
    unusual = next((c for c in name if unicodedata.category(c)[0] == "C" or _is_break(c)), None)
    if unusual:
        return f"must not contain the invisible character U+{ord(unusual):04X}"
    if not unicodedata.is_normalized("NFC", name):
        return "must be in Unicode's normal form C; type its accents again, or copy it from MLflow"
    return None


def _is_break(character: str) -> bool:
    return unicodedata.category(character) in {"Zl", "Zp"}

"""The error of a request of which some fields are not valid."""

from __future__ import annotations

from collections.abc import Sequence

from scoring.errors import FieldError, InvalidRequest


def invalid_fields(findings: Sequence[tuple[tuple[int | str, ...], str]]) -> InvalidRequest:
    """Return the error of findings: each a path and what its value must be."""
    errors = tuple(
        FieldError(".".join(map(str, path)) or "body", message) for path, message in findings
    )
    fields = ", ".join(dict.fromkeys(e.field for e in errors[:5]))
    more = f" and {len(errors) - 5} more" if len(errors) > 5 else ""
    return InvalidRequest(f"Not valid: {fields}{more}.", errors=errors)

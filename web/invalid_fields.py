"""The error of a request of which some fields are not valid."""

from __future__ import annotations

from collections.abc import Sequence

from scoring.errors import FieldError, InvalidRequest, invalid_request


def invalid_fields(findings: Sequence[tuple[tuple[int | str, ...], str]]) -> InvalidRequest:
    """Return the error of findings: each a path and what its value must be."""
    return invalid_request(
        [FieldError(".".join(map(str, path)) or "body", message) for path, message in findings]
    )

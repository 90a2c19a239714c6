"""The messages that commands print for errors: a sentence, and the command that helps."""

from __future__ import annotations

from persistence.maintenance.maintenance import MaintenanceError, PauseTooShort
from scoring.errors import SchemaMissing, SentinelError, TenantNotFound


def sentence(error: SentinelError | MaintenanceError) -> str:
    """Return an error's message for somebody at a terminal."""
    message = error.detail if isinstance(error, SentinelError) else str(error)
    match error:
        case SchemaMissing():
            hint = "run `sentinel db upgrade`"
        case TenantNotFound():
            hint = f"`sentinel tenants create {error.slug}` makes one"
        case PauseTooShort():
            hint = "let it wait longer with --pause, when few payments come"
        case _:
            return message
    return f"{message.removesuffix('.')}; {hint}."

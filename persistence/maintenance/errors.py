"""Errors that end maintenance."""

from __future__ import annotations

from scoring.errors import CommandError


class MaintenanceError(CommandError):
    """Maintenance could not be completed."""


class PauseTooShort(MaintenanceError):
    """The work takes longer than the pause of scoring that the operator allows."""

"""Errors that end a training command."""

from __future__ import annotations

from scoring.errors import CommandError


class TrainingError(CommandError):
    """Error that ends a training command; the message gives the cause and what to change."""


class NoEvidence(TrainingError):
    """Too little data to decide which of two versions is better; not a mistake of the user."""

"""Errors that end a training command."""

from __future__ import annotations

from scoring.errors import CommandError


class TrainingError(CommandError):
    """The training cannot go on; the message says why and what to change."""


class NoEvidence(TrainingError):
    """Nothing says which of two versions is better, through no mistake of the user's."""

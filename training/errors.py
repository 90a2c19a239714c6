"""Errors that end a training command."""

from __future__ import annotations

from scoring.errors import CommandError


class TrainingError(CommandError):
    """Error that ends a training command; the message gives the cause and what to change."""


class NoEvidence(TrainingError):
    """Too little data to decide which of two versions is better; not a mistake of the user.

    Args:
        reason: sentence on what is missing.
        advice: sentence on how to get it, which the message ends with.

    Attributes:
        reason: the argument, for the record of a promotion that was forced all the same.
    """

    def __init__(self, reason: str, advice: str = "") -> None:
        super().__init__(f"{reason} {advice}".rstrip())
        self.reason = reason

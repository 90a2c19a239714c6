"""What can be wrong with a training, said in one sentence to whoever started it."""

from __future__ import annotations


class TrainingError(Exception):
    """The training cannot go on; the message says why and what to change."""


class NoEvidence(TrainingError):
    """Nothing says which of two versions is better, through no mistake of whoever asks."""

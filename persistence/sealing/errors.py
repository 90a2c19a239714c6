"""Errors of sealing and verifying."""

from __future__ import annotations

from scoring.errors import CommandError


class SealError(CommandError):
    """The sealed log cannot be continued, or a key, a head or a folder cannot be used."""


class SealingStopped(Exception):
    """The process was asked to end in the middle of a pass; the next one goes on."""

"""The error that ends the demo."""

from __future__ import annotations

from scoring.errors import CommandError


class DemoError(CommandError):
    """The demo cannot continue; the message is one sentence."""

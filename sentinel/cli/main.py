"""The `sentinel` command: import a command of the files beside it when it is used."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

import click

from sentinel.errors import CommandGroup

COMMANDS = {
    "db": ("db", "db_group"),
    "demo": ("demo", "demo"),
    "event-types": ("event_types", "event_types_group"),
    "history": ("history", "history_group"),
    "journal": ("journal", "journal_group"),
    "keys": ("keys", "keys_group"),
    "labels": ("labels", "labels_group"),
    "lists": ("lists", "lists_group"),
    "monitor": ("monitor", "monitor_drift"),
    "prove": ("prove", "prove_decision"),
    "replay": ("replay", "replay_decision"),
    "rules": ("rules", "rules_group"),
    "seal": ("seal", "seal_group"),
    "stop": ("demo", "stop"),
    "tenants": ("tenants", "tenants_group"),
    "users": ("users", "users_group"),
    "verify": ("verify", "verify_logs"),
}
"""Module of `sentinel/cli/` and its command object, by command name."""
LOCAL = ("demo", "event-types", "history", "stop")
"""Commands that need the packages of the `training` extra; `--help` shows them where those are."""


class _Commands(CommandGroup):
    """Imports a command on first use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names that `--help` shows."""
        del ctx
        return [name for name in COMMANDS if name not in LOCAL or find_spec("mlflow")]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, or None."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(f"sentinel.cli.{module}"), attribute)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Run Sentinel: tenants, people, API keys, event types, past events, rules, lists and labels.

    Settings come from the environment: DATABASE_URL (unset: an embedded Postgres under
    SENTINEL_HOME, which is .sentinel), MLFLOW_TRACKING_URI, SENTINEL_KEY_SECRET.
    """

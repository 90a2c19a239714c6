"""The `sentinel` command: register the commands of the files beside it."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

import click

from sentinel.cli.db import db_group
from sentinel.cli.keys import keys_group
from sentinel.cli.monitor import monitor_drift
from sentinel.cli.replay import replay_decision
from sentinel.cli.tenants import tenants_group
from sentinel.errors import CommandGroup

LOCAL = ("demo", "stop")
"""Commands of `sentinel/cli/demo.py`, which need the packages of the `training` extra."""


class _Commands(CommandGroup):
    """Adds the commands of LOCAL where their packages are installed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names that `--help` shows."""
        local = LOCAL if find_spec("mlflow") else ()
        return sorted([*super().list_commands(ctx), *local])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command; those of LOCAL are imported only when they are used."""
        if cmd_name in LOCAL and cmd_name in self.list_commands(ctx):
            command: click.Command = getattr(import_module("sentinel.cli.demo"), cmd_name)
            return command
        return super().get_command(ctx, cmd_name)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Run Sentinel: tenants, API keys, the database.

    Settings come from the environment: DATABASE_URL (unset: an embedded Postgres under
    SENTINEL_HOME, which is .sentinel), MLFLOW_TRACKING_URI, SENTINEL_KEY_SECRET.
    """


main.add_command(tenants_group)
main.add_command(keys_group)
main.add_command(db_group)
main.add_command(monitor_drift)
main.add_command(replay_decision)

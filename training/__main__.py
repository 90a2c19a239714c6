"""`python -m training COMMAND`: train, evaluate and promote model versions."""

from __future__ import annotations

from importlib import import_module

from sentinel.installed import require_packages

require_packages()

import click  # noqa: E402

from sentinel.errors import CommandGroup  # noqa: E402
from training.cli.config_file import configurable  # noqa: E402

COMMANDS = {
    "features": "features",
    "train": "train",
    "calibrate": "recalibrate",
    "tune": "tune",
    "evaluate": "evaluate",
    "compare": "compare",
    "promote": "promote",
}
"""Module of `training/cli/` by command name, in the order of a model's life cycle."""


class _Commands(CommandGroup):
    """Command group that imports a command on first use and adds `--config` to it."""

    def list_commands(self, context: click.Context) -> list[str]:
        """Return the names of the commands in the order that `--help` shows."""
        del context
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Return the command with this name, or None."""
        del context
        if name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"training.cli.{COMMANDS[name]}"), name)
        return command if isinstance(command, click.Group) else configurable(command)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Train model versions on labelled transactions, evaluate, compare and promote them."""


if __name__ == "__main__":
    cli(prog_name="python -m training")

"""`python -m training COMMAND`: train, and judge what was trained."""

from __future__ import annotations

from importlib import import_module

import click

from sentinel.errors import CommandGroup
from training.cli.config_file import configurable

COMMANDS = {
    "train": "train",
    "calibrate": "recalibrate",
    "tune": "tune",
    "evaluate": "evaluate",
    "compare": "compare",
    "promote": "promote",
}
"""The module of `training/cli/` by the command's name, in the order of a model's life."""


class _Commands(CommandGroup):
    """Imports a command only when it is asked for, and gives each `--config`."""

    def list_commands(self, context: click.Context) -> list[str]:
        """Return the names in the order that `--help` shows."""
        del context
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Return a command by its name."""
        del context
        if name not in COMMANDS:
            return None
        found: click.Command = getattr(import_module(f"training.cli.{COMMANDS[name]}"), name)
        return configurable(found)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """From labelled transactions to a registered model version, and its life thereafter."""


if __name__ == "__main__":
    cli(prog_name="python -m training")

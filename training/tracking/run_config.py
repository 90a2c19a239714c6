"""Record the options of a command and their source: flag, configuration file or default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from registry.publish.tracking import Run

Origin = Literal["flag", "file", "default"]
Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Choice:
    """An option's value in effect and its source."""

    value: Value
    origin: Origin


@dataclass(frozen=True, slots=True)
class Configuration:
    """Every option of one call of a command.

    Attributes:
        command: name of the sub-command.
        options: value and source of each option, by name.
        file_name: name of the configuration file, or None without one.
        file_text: text of the configuration file, or None without one.
    """

    command: str
    options: Mapping[str, Choice]
    file_name: str | None = None
    file_text: str | None = None

    def log(self, run: Run) -> None:
        """Log the options as parameters `config.NAME` and `config.json`, and the file unchanged."""
        run.log({f"config.{name}": choice.value for name, choice in self.options.items()})
        run.log_json(
            "config.json",
            {
                "command": self.command,
                "file": self.file_name,
                "options": {name: asdict(choice) for name, choice in self.options.items()},
            },
        )
        if self.file_name is not None and self.file_text is not None:
            run.log_text(f"config/{self.file_name}", self.file_text)

"""Read `--config FILE`: options of a command from YAML or TOML; flags override it."""

from __future__ import annotations

import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import yaml
from click.core import ParameterSource

from sentinel.sentences import shown
from sentinel.yaml_keys import UniqueKeys

if TYPE_CHECKING:
    from training.tracking.run_config import Configuration, Origin, Value

Command = TypeVar("Command", bound=click.Command)

_TEXT_KEY = "sentinel.configuration_text"
_ORIGINS: dict[ParameterSource | None, Origin] = {
    ParameterSource.COMMANDLINE: "flag",
    ParameterSource.DEFAULT_MAP: "file",
}
_EXPECTED = {
    click.types.IntParamType: ("a whole number", (int,)),
    click.types.FloatParamType: ("a number", (int, float)),
    click.types.BoolParamType: ("true or false", (bool,)),
}


def configurable(command: Command) -> Command:
    """Add `--config`, a file whose keys are option names, to a command that lacks it."""
    if any(option.name == "config" for option in command.params):
        return command
    option = click.Option(
        ["--config"],
        type=click.Path(path_type=Path),
        is_eager=True,
        expose_value=False,
        callback=_read,
        help="YAML or TOML with these options by name; flags override it.",
    )
    command.params.append(option)
    return command


def configuration() -> Configuration:
    """Return the options in effect of the running command and the source of each."""
    # Imported late: it loads MLflow, which `--help` does not need.
    from training.tracking.run_config import Choice, Configuration

    context = click.get_current_context()
    options = {
        name: Choice(_plain(value), _ORIGINS.get(context.get_parameter_source(name), "default"))
        for name, value in sorted(context.params.items())
    }
    file_name, text = context.meta.get(_TEXT_KEY, (None, None))
    return Configuration(context.command.name or "", options, file_name, text)


def _plain(value: object) -> Value:
    if isinstance(value, Path):
        return shown(value)
    return value if isinstance(value, str | int | float | None) else str(value)


def _read(context: click.Context, parameter: click.Parameter, path: Path | None) -> Path | None:
    if path is None:
        return None
    text, values = _parsed(path)
    options = {
        name: option
        for option in context.command.params
        if (name := option.name) is not None and option is not parameter
    }
    given: dict[str, Any] = {}
    for key, value in values.items():
        name = str(key).replace("-", "_")
        if name not in options:
            raise click.ClickException(_unknown(path, str(key), context, list(options)))
        if name in given:
            raise click.ClickException(f"{path.name} gives {name} twice.")
        if value is not None:
            _check(path, context, options[name], value)
            given[name] = value
    context.default_map = given
    context.meta[_TEXT_KEY] = path.name, text
    return path


def _parsed(path: Path) -> tuple[str, dict[Any, Any]]:
    try:
        text = path.read_text("utf-8-sig")
        match path.suffix.lower():
            case ".toml":
                values = tomllib.loads(text)
            case ".yaml" | ".yml":
                values = yaml.load(text, UniqueKeys) or {}  # noqa: S506 - a SafeLoader
            case _:
                raise click.ClickException(
                    f"The configuration file {path.name} must end in .yaml, .yml or .toml."
                )
    except OSError as error:
        raise click.ClickException(
            f"The configuration file {path} cannot be read: {error.strerror}."
        ) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())[:200].rstrip(".")
        raise click.ClickException(f"{path.name} cannot be read: {reason}.") from error
    if not isinstance(values, dict):
        raise click.ClickException(f"{path.name} must hold options by name, not a list or a value.")
    return text, values


def _unknown(path: Path, key: str, context: click.Context, names: list[str]) -> str:
    near = get_close_matches(key.replace("-", "_"), names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"its options are {', '.join(names)}."
    return f"{path.name}: {key} is not an option of `{context.command.name}`; {hint}"


def _check(path: Path, context: click.Context, option: click.Parameter, value: object) -> None:
    """Raise the error that the flag would raise, with the file and the key in its message."""
    expected, types = next(
        (entry for kind, entry in _EXPECTED.items() if isinstance(option.type, kind)),
        ("text", (str,)),
    )
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        raise click.ClickException(f"{path.name}: {option.name} must be {expected}, not {value!r}.")
    try:
        option.process_value(context, value)
    except click.BadParameter as error:
        raise click.ClickException(
            f"{path.name}: {option.name} cannot be used: {error.message}"
        ) from error

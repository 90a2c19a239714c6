"""Let MLflow open its database when MLflow itself is installed in a path with `%`.

MLflow 3.17 sets the path of its migrations in Alembic's configuration as it is, and Alembic sets
the directory of the configuration. This is an ini file to Python's ConfigParser, which reads `%` as
the start of a reference and raises.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any


class _Defaults(dict[str, Any]):
    """Defaults of an ini file that hold the directory that Alembic adds literally."""

    def __setitem__(self, key: str, value: Any) -> None:  # noqa: ANN401 - Alembic's
        super().__setitem__(key, value.replace("%", "%%") if key == "here" else value)


def escape_script_location() -> None:
    """Make Alembic take the path of migrations literally, where MLflow's has a `%`.

    It replaces two methods of Alembic in this process. Call it before MLflow opens a database; a
    second call does nothing.
    """
    package = find_spec("mlflow")
    if package is None or "%" not in str(package.origin):
        return
    from alembic.config import Config

    plain = Config.set_main_option
    if plain.__module__ == __name__:
        return

    make = Config.__init__

    def init(self: Config, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - Alembic's
        make(self, *arguments, **options)
        self.config_args = _Defaults(self.config_args)

    def set_main_option(self: Config, name: str, value: str) -> None:
        if name == "script_location" and "%%" not in value:
            value = value.replace("%", "%%")
        plain(self, name, value)

    Config.__init__ = init  # type: ignore[method-assign]
    Config.set_main_option = set_main_option  # type: ignore[method-assign]

"""Let MLflow open its database when MLflow itself is installed in a path with `%`.

MLflow 3.17 sets the path of its migrations in Alembic's configuration as it is. The configuration
is an ini file to Python's ConfigParser, which reads `%` as the start of a reference and raises.
"""

from __future__ import annotations

from importlib.util import find_spec


def escape_script_location() -> None:
    """Make Alembic take the path of migrations literally, where MLflow's has a `%`.

    It replaces a method of Alembic in this process. Call it before MLflow opens a database; a
    second call does nothing.
    """
    package = find_spec("mlflow")
    if package is None or "%" not in str(package.origin):
        return
    from alembic.config import Config

    plain = Config.set_main_option
    if plain.__module__ == __name__:
        return

    def set_main_option(self: Config, name: str, value: str) -> None:
        if name == "script_location" and "%%" not in value:
            value = value.replace("%", "%%")
        plain(self, name, value)

    Config.set_main_option = set_main_option  # type: ignore[method-assign]

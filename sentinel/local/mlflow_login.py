"""The login of the local MLflow server, which other users of the machine could otherwise use.

Whoever reaches MLflow moves `production`, and can read any file of the user who runs it: an
experiment takes any directory as its artefacts' place. The login is MLflow's own,
https://mlflow.org/docs/latest/self-hosting/security/basic-http-auth/.
"""

from __future__ import annotations

import configparser
import io
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from sentinel.home import private_database, write_private

_DATABASE = "mlflow_auth.db"
_USER = "admin"  # not `sentinel`, which is the service by itself in the audit log
_CACHE_SECONDS = 3600  # a check of the password costs 60 ms of CPU, and is the same each time


@dataclass(frozen=True, slots=True)
class MlflowLogin:
    """User and password of an MLflow server."""

    user: str
    password: str = field(repr=False)

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables with which MLflow's clients log in."""
        return {
            "MLFLOW_TRACKING_USERNAME": self.user,
            "MLFLOW_TRACKING_PASSWORD": self.password,
        }


def login_settings(home: Path) -> Path:
    """Return the path of MLflow's login settings in a home; not created."""
    return home / "mlflow_auth.ini"


def ensure_login(home: Path) -> MlflowLogin:
    """Return the login of a home's MLflow server; make one, with a random password, if none exists.

    Args:
        home: directory of the installation's state, which exists and is the server's working
            directory.
    """
    path = login_settings(home)
    parser = configparser.ConfigParser(interpolation=None)
    if path.exists():
        parser.read(path)
        section = parser["mlflow"]
        return MlflowLogin(section["admin_username"], section["admin_password"])
    login = MlflowLogin(_USER, secrets.token_urlsafe(16))
    # MLflow stores the password in a new database only.
    (home / _DATABASE).unlink(missing_ok=True)
    private_database(home / _DATABASE)
    parser["mlflow"] = {
        "admin_username": login.user,
        "admin_password": login.password,
        "database_uri": f"sqlite:///{_DATABASE}",
        "default_permission": "READ",
        "authorization_function": "mlflow.server.auth:authenticate_request_basic_auth",
        "auth_cache_ttl_seconds": str(_CACHE_SECONDS),
    }
    text = io.StringIO()
    parser.write(text)
    write_private(path, text.getvalue())
    return login

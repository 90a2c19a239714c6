"""The person at the command line, as the audit log and MLflow name them."""

from __future__ import annotations

import os
import pwd

from persistence.actor import Actor


def os_user() -> str:
    """Return the user of this process, whatever the environment says.

    A user without a passwd entry, as in a container, is `uid N`.
    """
    uid = os.getuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def command_actor(command: str) -> Actor:
    """Return the user who runs a command, such as `sentinel keys issue`."""
    return Actor(os_user(), via=command)

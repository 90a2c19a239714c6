"""The person at the command line, as the audit log names them."""

from __future__ import annotations

import os
import pwd

from persistence.actor import Actor


def command_actor(command: str) -> Actor:
    """Return the user who runs a command, such as `sentinel keys issue`.

    The user is the process's own, whatever the environment says; a user without a passwd entry, as
    in a container, is `uid N`.
    """
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = f"uid {uid}"
    return Actor(name, via=command)

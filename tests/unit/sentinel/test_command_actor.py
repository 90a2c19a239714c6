"""The actor of a command is the process's user, whatever the environment says."""

from __future__ import annotations

import os
import pwd

import pytest

from persistence.actor import Actor
from sentinel.command_actor import command_actor


def test_the_environment_cannot_name_another_user(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME", "SUDO_USER"):
        monkeypatch.setenv(name, "somebody")
    expected = Actor(pwd.getpwuid(os.getuid()).pw_name, "sentinel keys issue")
    assert command_actor("sentinel keys issue") == expected


def test_a_user_without_a_passwd_entry_is_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 1_000_770_000)
    assert command_actor("sentinel demo").name == "uid 1000770000"

"""A command runs in an account that the machine has no entry of."""

from __future__ import annotations

import getpass
import os
from pathlib import Path

import pytest

from sentinel.command_process import complete_account


def test_an_account_without_an_entry_has_a_name_and_a_home(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_entry(_uid: int) -> None:
        raise KeyError

    monkeypatch.setattr("pwd.getpwuid", no_entry)
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LOGNAME", "")  # recorded, so that it is restored
    monkeypatch.delenv("LOGNAME")
    complete_account()
    assert getpass.getuser() == f"uid-{os.geteuid()}"
    assert Path("~").expanduser() == Path("/")
    assert Path.home() == Path("/")

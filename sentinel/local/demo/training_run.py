"""The training of the demo's model, in the terminal of the demo."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from registry.client.base import RegisteredVersion
from sentinel.known_tenant import KNOWN_TENANT
from sentinel.local.demo import tenant
from sentinel.local.demo.errors import DemoError
from sentinel.local.demo.own_file import EVENT_TYPE
from sentinel.local.terminal import console
from sentinel.sentences import shown

PROJECT = Path(__file__).resolve().parents[3]


def train(
    environment: Mapping[str, str],
    home: Path,
    data: Path | None,
    production: RegisteredVersion | None,
    *,
    is_own: bool,
) -> None:
    """Run the training in this terminal, so that its progress is visible and Ctrl-C ends it.

    Args:
        environment: environment of the process.
        home: directory of the demo's state.
        data: file of the training; None is the simulator.
        production: version that is in production so far; None: there is none.
        is_own: whether the file has an event type of its own.

    Raises:
        DemoError: the training ends with an error.
    """
    if production and data:
        as_it_is = "and its event type as they are now" if is_own else "as it is now"
        console.print(
            f"{production.name} version {production.version} was not trained on "
            f"{shown(data.name)} {as_it_is}: this trains again, and promotes the new "
            "version without a comparison.",
            soft_wrap=True,
        )
    command = [sys.executable, "-m", "training", "train", "--tenant", tenant.TENANT]
    command += ["--data", str(data)] if data else []
    command += ["--event-type", str(home / EVENT_TYPE)] if is_own else []
    command += ["--seed", str(tenant.SEED)] if is_own else []
    training = subprocess.Popen(  # noqa: S603 - our own command
        command,
        env={**environment, KNOWN_TENANT: tenant.TENANT},
        cwd=PROJECT,
        stdin=subprocess.DEVNULL,
    )
    try:
        status = training.wait()
    finally:
        training.terminate()
        training.wait()
    if status and production and data:
        raise DemoError(
            f"The training on {shown(data.name)} did not succeed. {production.name} "
            f"version {production.version} is still in production; `make demo` without DATA "
            "serves it."
        )
    if status:
        raise DemoError("The training did not succeed, so there is nothing to serve.")

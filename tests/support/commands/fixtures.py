"""The start of command lines that need not import what `preloaded.py` has imported."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent


@pytest.fixture(scope="session")
def preloaded() -> Iterator[list[str]]:
    """What stands for `python -m` before a module and its arguments, and begins in 0.1 s."""
    with tempfile.TemporaryDirectory(prefix="sentinel-") as directory:
        address = str(Path(directory) / "commands")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(address)
            # A command that comes while the packages are imported waits here.
            listener.listen()
            hidden = ("MLFLOW_", "SENTINEL_", "PYTEST_CURRENT_TEST")
            # What a shell starts with `&` ignores SIGINT, and so would each command.
            before = signal.signal(signal.SIGINT, signal.default_int_handler)
            server = subprocess.Popen(
                [sys.executable, FOLDER / "preloaded.py", str(listener.fileno())],
                pass_fds=[listener.fileno()],
                env={k: v for k, v in os.environ.items() if not k.startswith(hidden)},
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
            signal.signal(signal.SIGINT, before)
        yield [sys.executable, "-I", "-S", str(FOLDER / "caller.py"), address]
        server.kill()
        server.wait()

"""A service that cannot listen on its port ends with a sentence that names port and option."""

from __future__ import annotations

import errno
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.listening import bind_sentence
from tests.support.paths import PROJECT
from tests.support.stack import KEY_SECRET


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port on which another program listens."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


@pytest.mark.parametrize("target", ["service:Sentinel", "service.py:Sentinel"])
def test_a_taken_port_ends_bentoml_serve_with_one_sentence_and_status_1(
    target: str, taken_port: int, database: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bentoml", "serve", target, "--port", str(taken_port)],
        cwd=PROJECT,
        env={
            **os.environ,
            "DATABASE_URL": database,
            "SENTINEL_HOME": str(tmp_path),
            "SENTINEL_KEY_SECRET": KEY_SECRET.decode(),
            "BENTOML_HOME": str(tmp_path / "bentoml"),
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith(
        f"Port {taken_port} is used by another program: stop that, or choose another port with "
        "--port."
    )
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.EACCES, "Port 80 may not be used by this account: .* with --port."),
        (errno.EADDRNOTAVAIL, "10.9.9.9 is no address of this machine: .* with --host."),
        (errno.ENOBUFS, "The service cannot listen on port 80 of 10.9.9.9: No buffer space .*"),
    ],
)
def test_every_other_reason_has_its_sentence(number: int, sentence: str) -> None:
    error = OSError(number, os.strerror(number))
    assert re.fullmatch(sentence, bind_sentence("10.9.9.9", 80, error))

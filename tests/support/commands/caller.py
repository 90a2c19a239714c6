"""Run a command in a child of `preloaded.py`, with this program's streams; end as it ends.

`python caller.py ADDRESS MODULE [ARGUMENT ...]` stands for `python -m MODULE [ARGUMENT ...]`. It
imports the standard library alone, so that its start takes some hundredths of a second.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys

FORWARDED = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT}


def run(address: str, module: str, *arguments: str) -> int:
    """Run it; its status, which is negative for the signal that it ended by."""
    request = json.dumps(
        {
            "module": module,
            "arguments": arguments,
            "environment": dict(os.environ),
            "directory": os.getcwd(),  # noqa: PTH109 - pathlib takes long to import
        }
    ).encode()
    # A signal that arrives earlier is delivered when there is a process to send it to.
    signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        socket.send_fds(connection, [len(request).to_bytes(8)], [0, 1, 2])
        connection.sendall(request)
        pid = number_from(connection)

        def forward(number: int, _frame: object) -> None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

        for number in FORWARDED:
            signal.signal(number, forward)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
        return number_from(connection)


def number_from(connection: socket.socket) -> int:
    """The next number that the process sends."""
    content = connection.recv(8, socket.MSG_WAITALL)
    if len(content) != 8:
        raise ConnectionError("the process with the packages has ended")
    return int.from_bytes(content, signed=True)


if __name__ == "__main__":
    status = run(*sys.argv[1:])
    if status < 0:
        with contextlib.suppress(OSError):  # SIGKILL
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status)

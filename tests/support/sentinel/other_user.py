"""What the product's processes offer to the other users of a machine, tried as one of them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

NOBODY = 65534

_DROP_RIGHTS = f"""
import os, socket, sys, zmq
os.setgroups([])
os.setgid({NOBODY})
os.setuid({NOBODY})
"""

_READABLE = """
opened = []
for folder, _, files in os.walk(sys.argv[1]):
    for name in files:
        path = os.path.join(folder, name)
        for flags in (os.O_RDONLY, os.O_WRONLY):
            try:
                os.close(os.open(path, flags))
                opened.append(path)
            except OSError:
                pass
for path in sys.argv[2:]:
    try:
        os.close(os.open(path, os.O_RDONLY))
        opened.append(path)
    except OSError:
        pass
print("\\n".join(opened))
"""

_COMMAND = """
socket = zmq.Context().socket(zmq.DEALER)
socket.linger = 0
socket.connect(sys.argv[1])
socket.send_json({"id": "1", "command": "add", "properties": {
    "name": "probe", "cmd": "/bin/sh", "args": ["-c", "true"], "start": True}})
print(socket.recv().decode() if socket.poll(1500) else "no reply")
"""

_CONNECT = """
try:
    socket.socket(socket.AF_UNIX).connect(sys.argv[1])
    print("connected")
except OSError as error:
    print(type(error).__name__)
"""


def family(pid: int) -> list[psutil.Process]:
    """The process and its descendants."""
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def listening(processes: Iterable[psutil.Process]) -> tuple[set[tuple[str, int]], set[str]]:
    """The TCP and UDP addresses, and the Unix sockets, that processes accept connections on."""
    addresses, inodes = set(), set()
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            for connection in process.net_connections("inet"):
                # A UDP socket that is not connected receives from everyone.
                if connection.status == psutil.CONN_LISTEN or (
                    connection.status == psutil.CONN_NONE and not connection.raddr
                ):
                    addresses.add((connection.laddr.ip, connection.laddr.port))
            inodes |= _socket_inodes(process.pid)
    return addresses, {path for inode, path in _unix_listeners() if inode in inodes}


def _socket_inodes(pid: int) -> set[str]:
    links = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            links.add(str(descriptor.readlink()))
    return {link[len("socket:[") : -1] for link in links if link.startswith("socket:[")}


def _unix_listeners() -> Iterable[tuple[str, str]]:
    """Inode and path of each Unix socket that accepts connections; see proc_net_unix(5)."""
    accepts_connections = 0x10000
    for line in Path("/proc/net/unix").read_text().splitlines()[1:]:
        fields = line.split(maxsplit=7)
        if int(fields[3], 16) & accepts_connections:
            yield fields[6], fields[7] if len(fields) > 7 else ""


def _as_other_user(program: str, *arguments: str) -> str:
    """Run a program that starts as root, since only root may enter the tests' Python."""
    return subprocess.run(
        [sys.executable, "-c", _DROP_RIGHTS + program, *arguments],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def opens(folder: Path) -> list[str]:
    """The files below a folder that another user can open, also by names that it has to guess."""
    names = [str(path) for path in folder.rglob("*") if path.is_file()]
    return _as_other_user(_READABLE, str(folder), *names).splitlines()


def commands(endpoint: str) -> str:
    """The reply that another user gets who asks a supervisor to start a program."""
    return _as_other_user(_COMMAND, endpoint)


def connects(path: str) -> str:
    """`connected`, or the name of the error that another user gets from a Unix socket."""
    return _as_other_user(_CONNECT, path)

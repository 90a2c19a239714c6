"""Say in one sentence why the service cannot listen on its port.

`bentoml serve` binds the port in the process that supervises the workers, and ends in a traceback
that does not name it when the port is taken.
"""

from __future__ import annotations

import errno

from bentoml._internal.utils.circus import Arbiter
from bentoml.exceptions import BentoMLException

_bentoml_initialize = Arbiter.initialize


def explain_bind_errors() -> None:
    """Make supervisors that start from now on raise a BentoMLException with a sentence."""
    Arbiter.initialize = _initialize


def _initialize(self: Arbiter) -> None:
    try:
        _bentoml_initialize(self)
    except OSError as error:
        # The service has one socket; the sockets of BentoML's dependencies have paths, not ports.
        ports = [(socket.host, socket.port) for socket in self.sockets.values() if socket.port]
        if len(ports) != 1:
            raise
        raise BentoMLException(bind_sentence(*ports[0], error)) from error


def bind_sentence(host: str, port: int, error: OSError) -> str:
    """Return why the service cannot listen, and what to do.

    Args:
        host: address that the service listens on.
        port: port that it listens on.
        error: error of `bind`.
    """
    match error.errno:
        case errno.EADDRINUSE:
            return (
                f"Port {port} is used by another program: stop that, or choose another port with "
                "--port."
            )
        case errno.EACCES:
            return (
                f"Port {port} may not be used by this account: choose one above 1023 with --port."
            )
        case errno.EADDRNOTAVAIL:
            return f"{host} is no address of this machine: choose another one with --host."
    return f"The service cannot listen on port {port} of {host}: {error.strerror}."

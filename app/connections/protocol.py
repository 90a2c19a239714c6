"""The HTTP protocol of a worker's connections: uvicorn's, which refuses at small cost.

A scoring request counts from the time at which it is received whole, so that slow clients take no
room from others. If there is none, or its caller has reached a limit, it is refused here, with
bytes that are prepared: no task, no middleware, no JSON.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection
from functools import partial
from http import HTTPStatus
from typing import Any

from uvicorn._types import ASGI3Application
from uvicorn.config import HTTP_PROTOCOLS, Config
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from app.connections.draining import DrainingProtocol, is_draining
from app.connections.refusals import OF_OVERLOAD, Refusal, Refused, of_rate
from observability.request_id import HEADER, request_id
from serving.admission import MAX_RETRY_AFTER_S, OVERLOAD, Admission, Place
from serving.rate_limits import RateLimits
from web.headers import caller_of
from web.request_body import SMALL_BYTES
from web.request_metrics import count_request

MAX_HELD = 4096
"""Refusals that are held at a time, each of which holds a connection; more are sent at once."""

MAX_ARRIVING_BYTES = 64 * 1024 * 1024
"""Bytes of bodies that are not whole yet, of all connections: they have not been authenticated."""


class ArrivingBodies:
    """The bodies of all connections that are not whole yet.

    Attributes:
        total: bytes that they have together.
    """

    total = 0


class _Answered:
    """Stands for the cycle of a request that no application sees."""

    response_started = response_complete = True
    message_event = asyncio.Event()


class ServiceProtocol(DrainingProtocol):
    """One connection.

    Args:
        config, server_state, app_state, _loop: as of uvicorn's protocol.
        admission: limit of the scoring requests in flight.
        rates: limits of payments a second.
        paths: paths of the scoring routes.
        arriving: bodies of all connections of the process.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        admission: Admission,
        rates: RateLimits,
        paths: Collection[str],
        arriving: ArrivingBodies,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._admission = admission
        self._rates = rates
        self._paths = paths
        self._arriving = arriving
        self._awaited: str | None = None
        self._body = bytearray()
        self._place: Place | None = None
        self._refused: Refused | None = None
        self._refusal: asyncio.TimerHandle | None = None
        self._next_refusal_s = 0.0
        self._refused_caller: int | None = None

    def on_headers_complete(self) -> None:
        """Wait for the body of a scoring request, or start to answer another one."""
        self._end_hold()
        path = self.url.decode("ascii", "replace")
        if path in self._paths and self._is_plain():
            self._awaited = path
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Receive a part of the body."""
        if self._awaited is None:
            super().on_body(body)
            return
        self._body += body
        self._arriving.total += len(body)
        if self._arriving.total > MAX_ARRIVING_BYTES:
            # From here on it is answered as one that is not plain, which counts as in flight.
            self._awaited = None
            super().on_headers_complete()
            super().on_body(bytes(self._take_body()))

    def on_message_complete(self) -> None:
        """Start to answer a scoring request that is received, or refuse it."""
        if self._awaited is None:
            super().on_message_complete()
            return
        path, self._awaited = self._awaited, None
        body = self._take_body()
        caller = caller_of(self.headers)
        if refusal := self._refusal_now(caller):
            self.waits_since_s = None
            identifier = request_id(self.headers).encode()
            self.cycle = _Answered()  # type: ignore[assignment]
            self._refuse(Refused(path, identifier, caller, refusal))
        else:
            try:
                super().on_headers_complete()
            finally:
                if self._place is not None:
                    # Its task was not started.
                    self._place.leave()
                    self._place = None
            super().on_body(bytes(body))
            super().on_message_complete()

    def _take_body(self) -> bytearray:
        body, self._body = self._body, bytearray()
        self._arriving.total -= len(body)
        return body

    def _refuse(self, refused: Refused) -> None:
        """Send the refusal, or hold it.

        A client that comes again much earlier than Retry-After asks is answered about when it
        should have come, so that it cannot turn refusals into more requests. Its connection may be
        a proxy's, which uses it for others too: they do not wait for it.
        """
        self._refused = refused
        wait_s = self._next_refusal_s - self.loop.time()
        held = self._admission.held + self._admission.held_for_rate
        if refused.caller != self._refused_caller or wait_s <= 0 or held >= MAX_HELD:
            self._send_refusal()
        else:
            self._count_held(refused, 1)
            self._refusal = self.loop.call_later(wait_s, self._end_hold)

    def _count_held(self, refused: Refused, change: int) -> None:
        if refused.reply.reason == OVERLOAD:
            self._admission.held += change
        else:
            self._admission.held_for_rate += change

    def _refusal_now(self, caller: int) -> Refusal | None:
        """Return the reply to a request that is refused; None admits it."""
        if reached := self._rates.reached(caller):
            return of_rate(reached)
        tenant_id = self._rates.tenant_id(caller)
        if not self._admission.enter(tenant_id):
            return OF_OVERLOAD[self._admission.retry_after_s]
        self._place = Place(self._admission, tenant_id)
        self.scope["place"] = self._place  # type: ignore[typeddict-unknown-key]
        return None

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Start to answer a request; when its task ends, however it ends, its place is left."""
        place, self._place = self._place, None
        if place is None:
            super()._start_asgi_task(cycle, app)
            return

        def end(task: asyncio.Task[None]) -> None:
            self.tasks.discard(task)
            place.leave()

        task = self.loop.create_task(cycle.run_asgi(app))
        task.add_done_callback(end)
        self.tasks.add(task)

    def _end_hold(self) -> None:
        """Send the refusal that is held, if there is one."""
        if self._refusal is not None:
            self._forget_hold()
            self._send_refusal()

    def _forget_hold(self) -> None:
        if self._refusal is not None:
            assert self._refused is not None  # noqa: S101 - one is held
            self._refusal.cancel()
            self._refusal = None
            self._count_held(self._refused, -1)

    def _send_refusal(self) -> None:
        assert self._refused is not None  # noqa: S101 - one is refused
        (path, identifier, self._refused_caller, reply), self._refused = self._refused, None
        # Not the whole time for everyone, so that those who were refused together come apart.
        share = 0.75 + random.random() / 4  # noqa: S311 - the number needs no secrecy
        wait_s = min(reply.retry_after_s, MAX_RETRY_AFTER_S) * share
        self._next_refusal_s = self.loop.time() + wait_s
        lines = [reply.head]
        for name, value in self.server_state.default_headers:
            lines += [name, b": ", value, b"\r\n"]
        lines += [HEADER, b": ", identifier, b"\r\n\r\n", reply.body]
        self.transport.write(b"".join(lines))
        self._admission.refused[reply.reason] += 1
        count_request(path, HTTPStatus.TOO_MANY_REQUESTS, None)
        self.on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._forget_hold()
        self._take_body()
        super().connection_lost(exc)

    def _is_plain(self) -> bool:
        """Whether the request is an ordinary one on a connection where no other is in flight."""
        if self.cycle is not None and not self.cycle.response_complete:
            return False
        if self.parser.get_method() != b"POST" or not self.parser.should_keep_alive():
            return False
        if self.parser.should_upgrade():
            return False
        if is_draining(self.server_state):
            return False
        for name, value in self.headers:
            if name == b"content-length":
                if int(value) > SMALL_BYTES:
                    return False
            elif name in {b"transfer-encoding", b"expect"}:
                return False
        return True


def use_protocol(admission: Admission, rates: RateLimits, paths: Collection[str]) -> None:
    """Make servers that are created from now on in this process speak `ServiceProtocol`.

    Args:
        admission: limit of the scoring requests in flight.
        rates: limits of payments a second.
        paths: paths of the scoring routes.
    """
    # BentoML creates uvicorn's configuration, which looks the protocol up by this name.
    protocol = partial(
        ServiceProtocol,
        admission=admission,
        rates=rates,
        paths=paths,
        arriving=ArrivingBodies(),
    )
    HTTP_PROTOCOLS["auto"] = protocol  # type: ignore[assignment]

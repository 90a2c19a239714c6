"""Decide payments at times of the past: the scoring routes in a process whose clock is moved.

The decisions are the service's own: the same routes, model, rules and store, with the clock that
`app.startup.connect` takes. The process is started by the demo alone and reads what it needs from
its standard input, so no command and no setting moves a service's clock. What Postgres stamps
(`created_at`) is of the day on which the demo runs.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, TypedDict

from sentinel.home import private_directory
from sentinel.local.demo.errors import DemoError

_END_S = 10.0


class Connections(TypedDict):
    """What the process connects to.

    Attributes:
        database_url: address of Postgres.
        tracking_uri: address of MLflow, with its login.
        model_cache: folder that keeps model versions on disk.
        key_secrets: secrets of the API keys, the newest first.
        key: key with the scope `score`.
    """

    database_url: str
    tracking_uri: str
    model_cache: str
    key_secrets: list[str]
    key: str


class Past:
    """A process that decides payments at given times; it ends with its standard input."""

    def __init__(self, connections: Connections, log: Path, environment: Mapping[str, str]) -> None:
        """Start the process; it is ready when it has decided its first payment.

        Args:
            connections: what it connects to.
            log: file that its errors overwrite.
            environment: environment of the process.
        """
        private_directory(log.parent)
        with log.open("w") as output:
            self._popen = subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, "-c", f"from {__name__} import decide; decide()"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                env=environment,
                cwd=Path(__file__).resolve().parents[3],
                text=True,
                # Ctrl-C in the terminal reaches the demo alone, which ends this process.
                start_new_session=True,
            )
        assert self._popen.stdin and self._popen.stdout  # noqa: S101, PT018 - they are pipes
        self._stdin, self._stdout = self._popen.stdin, self._popen.stdout
        self._log = log
        self._send(connections)

    def score(self, body: Mapping[str, Any], at: datetime) -> dict[str, Any]:
        """Score a payment with POST /score at a time; return the reply.

        Args:
            body: body of the request.
            at: time of the decision, an aware datetime.

        Raises:
            DemoError: the process has ended, or its reply is not 200.
        """
        self._send({"at_ns": int(at.timestamp() * 1_000_000) * 1000, "body": body})
        line = self._stdout.readline()
        if not line:
            raise DemoError(f"The process that decides past payments ended; see {self._log}.")
        answer = json.loads(line)
        if answer["status"] != 200:
            raise DemoError(f"A past payment was not decided: {answer['reply']}")
        reply: dict[str, Any] = answer["reply"]
        return reply

    def close(self) -> None:
        """End the process; one that does not end by itself is killed."""
        with suppress(BrokenPipeError, ValueError):
            self._stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(_END_S)
        self._popen.kill()
        self._popen.wait()

    def _send(self, document: Any) -> None:  # noqa: ANN401 - any JSON
        try:
            self._stdin.write(json.dumps(document) + "\n")
            self._stdin.flush()
        except BrokenPipeError:
            raise DemoError(
                f"The process that decides past payments ended; see {self._log}."
            ) from None


def decide() -> None:
    """Decide the payments of the standard input, each at its own time, until it ends."""
    replies = sys.stdout
    sys.stdout = sys.stderr  # the pipe is for replies alone
    connections: Connections = json.loads(sys.stdin.readline())
    with ExitStack() as stack:
        asyncio.run(_decide(connections, sys.stdin, replies, stack))


async def _decide(
    connections: Connections, requests: IO[str], replies: IO[str], stack: ExitStack
) -> None:
    # Imported here: this process is the only one of the demo's own that needs them.
    import httpx

    from app.usage_tracking import disable_usage_tracking

    disable_usage_tracking()
    from app.direct import scoring_app
    from app.startup import connect
    from observability.tracing import Traces

    now_ns = 0

    dependencies = connect(
        stack,
        database_url=connections["database_url"],
        tracking_uri=connections["tracking_uri"],
        model_cache=Path(connections["model_cache"]),
        key_secrets=[secret.encode() for secret in connections["key_secrets"]],
        models_in_memory=1,
        poll_seconds=3600.0,
        traces=Traces(),
        clock=lambda: now_ns,
        # Its tenant does not ask for a journal.
        journal_dir=Path(stack.enter_context(TemporaryDirectory(prefix="sentinel-"))),
        journal_max_bytes=0,
        journal_key_seconds=0.0,
    )
    headers = {"Authorization": f"Bearer {connections['key']}"}
    transport = httpx.ASGITransport(scoring_app(dependencies))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://past", headers=headers
    ) as client:
        for line in requests:
            request = json.loads(line)
            now_ns = request["at_ns"]
            reply = await client.post("/score", json=request["body"])
            answer = {"status": reply.status_code, "reply": reply.json()}
            replies.write(json.dumps(answer) + "\n")
            replies.flush()

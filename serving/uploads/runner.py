"""Decides the rows of uploads in the background, in small chunks between which payments go first.

Of several processes one has an upload at a time (`persistence/uploads/work.py`). A process that
ends leaves it to the next one, which goes on at the first row that no chunk has.
"""

from __future__ import annotations

import asyncio
import io
import logging
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, BinaryIO, cast
from uuid import uuid4

from sqlalchemy import Engine

from observability.background_loop import BackgroundLoop
from persistence.outage import Outage
from persistence.uploads.files import StoredFile
from persistence.uploads.work import (
    Chunk,
    Job,
    LeaseLost,
    claim_upload,
    finish_upload,
    release_upload,
    store_chunk,
)
from scoring.errors import NoModel, SentinelError, StoreUnavailable
from scoring.event_type.fields import EventType
from scoring.event_type.validation import EventValidator
from scoring.tables.csv_rows import Row
from scoring.uploads.table import rows_of
from serving.batching.batch_scorer import BatchScorer
from serving.deployment.assignment import ModelAssignment, ModelMisfit
from serving.uploads import stuck
from serving.uploads.chunk_scorer import Assign, ChunkScorer, OutdatedMapping, StillInFlight
from serving.uploads.stuck import Later, Waits

logger = logging.getLogger("sentinel.uploads")

INTERVAL_S = 1.0
"""Seconds between two looks for uploads."""
CHUNK_ROWS = 50
"""Rows that are decided and stored together: a few milliseconds of the interpreter's lock."""
REST = 1.0
"""Rest after a chunk, as a multiple of the time that it took."""
TURN_S = 10.0
"""Seconds after which another upload has its turn."""
_SKIPPED_AT_ONCE = 500
_REST_OF_SKIPPING_S = 0.002


class Stopping(Exception):
    """The process ends."""


class UploadRunner:
    """Decides the rows of the uploads that people have started.

    Args:
        engine: database pool that no payment waits for.
        scorer: scorer that decides and stores the rows.
        assign: source of the models, the policy and the rules that decide.
        validator: function that returns the validator of a tenant's event type; None for PaySim's.
        rest: rest after a chunk, as a multiple of the time that it took.
    """

    def __init__(
        self,
        engine: Engine,
        scorer: BatchScorer,
        assign: Assign,
        validator: Callable[[int], EventValidator | None],
        *,
        rest: float = REST,
    ) -> None:
        self._engine = engine
        self._scorer = scorer
        self._assign = assign
        self._validator = validator
        self._rest = rest
        self._holder = uuid4()
        self._waits = Waits()
        task = "deciding the rows of uploads"
        self._outage = Outage(logger, task)
        self._loop = BackgroundLoop(
            "uploads",
            self._work_or_warn,
            INTERVAL_S,
            logger=logger,
            task=task,
            runs_at_start=False,
        )

    def start(self) -> None:
        """Start the thread."""
        self._loop.start()

    def stop(self) -> None:
        """End the thread after a chunk that has begun; another process goes on behind it."""
        self._loop.stop()

    @property
    def is_stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._loop.is_stopping

    def work(self) -> None:
        """Decide rows until no upload is left that nobody else has.

        Raises:
            StoreUnavailable: Postgres is unreachable or the connection broke.
        """
        while not self.is_stopping and (job := claim_upload(self._engine, self._holder)):
            try:
                self._take_turn(job)
            except (LeaseLost, Stopping):
                logger.info("upload %d is left to others", job.upload.number)

    def _work_or_warn(self) -> None:
        try:
            self.work()
        except StoreUnavailable as error:
            self._outage.goes_on(str(error))
        else:
            self._outage.is_over()

    def _take_turn(self, job: Job) -> None:
        try:
            is_whole = self._decide(job)
        except LeaseLost:
            raise
        except (StoreUnavailable, Stopping):
            # Else nobody goes on until the lease is over.
            with suppress(StoreUnavailable, LeaseLost):
                release_upload(self._engine, job)
            raise
        except Later as later:
            release_upload(self._engine, job, later.delay_s)
        except NoModel as error:
            finish_upload(self._engine, job, str(error))
        except OutdatedMapping as error:
            finish_upload(self._engine, job, f"The event type has changed: {error}.")
        except Exception as error:
            logger.exception("upload %d of tenant %d failed", job.upload.number, job.tenant_id)
            known = str(error) if isinstance(error, SentinelError) else "An unexpected error"
            finish_upload(self._engine, job, f"{known.rstrip('.')}; the service's log has more.")
        else:
            if is_whole:
                finish_upload(self._engine, job)
            else:
                release_upload(self._engine, job)

    def _decide(self, job: Job) -> bool:
        """Decide rows for a turn; return whether the file has no more."""
        chunks = ChunkScorer(self._scorer, self._assign, job, self._validator(job.tenant_id))
        end = time.monotonic() + TURN_S
        with io.BufferedReader(StoredFile(self._engine, job.tenant_id, job.upload.number)) as file:
            left = self._rows(cast("BinaryIO", file), job)
            while rows := list(islice(left, CHUNK_ROWS)):
                begin = time.monotonic()
                if not store_chunk(self._engine, job, self._chunk(job, chunks, rows)):
                    raise LeaseLost
                if self.is_stopping or time.monotonic() >= end:
                    return False
                time.sleep(self._rest * (time.monotonic() - begin))
        return True

    def _chunk(self, job: Job, chunks: ChunkScorer, rows: Sequence[Row]) -> Chunk:
        """Decide rows.

        Raises:
            Later: they cannot be decided yet.
            NoModel: no model can decide them, and none did for a while.
        """
        upload, first = (job.tenant_id, job.upload.number), rows[0].number
        waited_s = self._waits.seconds(upload, first)
        try:
            chunk = chunks.decide(rows, may_wait=waited_s < stuck.IN_FLIGHT_S)
        except StillInFlight as error:
            self._waits.tried(upload, first)
            raise Later(stuck.IN_FLIGHT_RETRY_S) from error
        except NoModel as error:
            # A process that starts, or whose tenant is new, may have no deployment yet.
            if isinstance(error, ModelMisfit) or waited_s >= stuck.GIVE_UP_S:
                self._waits.end(upload)
                raise
            logger.warning("upload %d of tenant %d waits: %s", upload[1], upload[0], error)
            self._waits.tried(upload, first)
            raise Later(stuck.RETRY_S) from error
        self._waits.end(upload)
        return chunk

    def _rows(self, file: BinaryIO, job: Job) -> Iterator[Row]:
        """Yield the rows that are not decided."""
        for row in rows_of(file, job.upload.shape.separator):
            if row.number >= job.next_row:
                yield row
            elif row.number % _SKIPPED_AT_ONCE == 0:
                time.sleep(_REST_OF_SKIPPING_S)


def assigner(
    assignment: Callable[[int, EventType], Coroutine[Any, Any, ModelAssignment]],
    loop: asyncio.AbstractEventLoop,
    is_stopping: Callable[[], bool],
) -> Assign:
    """Return the blocking form of a coroutine of the event loop, for another thread.

    Args:
        assignment: coroutine function that returns what decides a tenant's events.
        loop: event loop of the process.
        is_stopping: whether the process ends, when the loop may answer no more.
    """

    def assign(tenant_id: int, event_type: EventType) -> ModelAssignment:
        found = asyncio.run_coroutine_threadsafe(assignment(tenant_id, event_type), loop)
        while True:
            try:
                return found.result(0.2)
            except TimeoutError:
                if found.done():
                    raise
                if is_stopping():
                    found.cancel()
                    raise Stopping from None

    return assign

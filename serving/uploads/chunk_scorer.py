"""Decide some rows of an upload, and write their lines of the resulting files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from time import perf_counter, sleep
from zoneinfo import ZoneInfo

from observability.request_id import Origin
from persistence.decisions.rows import Decided
from persistence.uploads.work import Chunk, Job
from scoring.errors import IdempotencyMismatch, InFlight, SentinelError
from scoring.event import AnyEvent
from scoring.event_type.fields import EventType
from scoring.event_type.validation import EventValidator
from scoring.tables.csv_rows import Row
from scoring.transaction import PAYSIM
from scoring.uploads.lines import reject_line, result_line
from scoring.uploads.mapping import EXTERNAL_ID, faults
from scoring.uploads.row_reader import BadRow, Fault, RowReader
from serving.batching.batch_scorer import BatchScorer
from serving.batching.item import Item
from serving.bodies import event_of
from serving.deployment.assignment import ModelAssignment

Assign = Callable[[int, EventType], ModelAssignment]
"""Blocking function that returns what decides a tenant's events now."""

_TRIES = 5
_AGAIN_AFTER_S = 0.2
"""Tries, and the wait between two, while another request decides an event with the same id."""


class OutdatedMapping(Exception):
    """The event type changed after the mapping was confirmed; the message says where."""


class StillInFlight(Exception):
    """Another request decides the events of some rows; what is decided of the others stays."""


class ChunkScorer:
    """Decides the rows of one upload; its methods block their thread.

    Args:
        scorer: scorer that decides and stores.
        assign: source of the models, the policy and the rules that decide.
        job: upload whose mapping is confirmed.
        validator: validator of the tenant's event type; None where it sends PaySim's.

    Raises:
        OutdatedMapping: the mapping does not fit the event type.
    """

    def __init__(
        self, scorer: BatchScorer, assign: Assign, job: Job, validator: EventValidator | None
    ) -> None:
        self._scorer = scorer
        self._assign = assign
        self._job = job
        self._type = validator.event_type if validator else PAYSIM
        upload = job.upload
        mapping = upload.mapping or {}
        if found := faults(self._type, upload.shape.columns, mapping):
            raise OutdatedMapping("; ".join(f"{one.field} {one.message}" for one in found))
        zone = ZoneInfo(upload.time_zone) if upload.time_zone else None
        self._reader = RowReader(
            self._type,
            upload.shape.columns,
            mapping,
            zone,
            lambda body: event_of(body, validator),
        )

    def decide(self, rows: Sequence[Row], *, may_wait: bool = False) -> Chunk:
        """Decide rows, each by itself: one that is no event does not hold up the others.

        Args:
            rows: the rows.
            may_wait: whether the same rows can be decided later where another request decides
                their events; else such rows are rejected.

        Raises:
            NoModel: no version is in production that can decide the tenant's events.
            StoreUnavailable: Postgres did not confirm the commit; the same rows again are decided
                once.
            StillInFlight: `may_wait`, and the rows are to be decided later.
        """
        bad: dict[int, tuple[Fault, ...]] = {}
        events: dict[int, AnyEvent] = {}
        for place, row in enumerate(rows):
            try:
                events[place] = self._reader.read(row, self._derived_id(row))
            except BadRow as error:
                bad[place] = error.faults
        decided: dict[int, Decided] = {}
        if events:
            found = self._store(list(events.values()))
            if may_wait and any(isinstance(one, InFlight) for one in found):
                raise StillInFlight
            for place, outcome in zip(events, found, strict=True):
                if isinstance(outcome, SentinelError):
                    bad[place] = (self._fault(outcome),)
                else:
                    decided[place] = outcome
        return self._chunk(rows, decided, bad)

    def _derived_id(self, row: Row) -> str:
        """Return the id of a row without one, by which it is decided once."""
        return f"upload-{self._job.upload.number}-row-{row.number}"

    def _store(self, events: Sequence[AnyEvent]) -> Sequence[Decided | SentinelError]:
        """Return what became of events; only those that another request decides are sent again."""
        found: dict[int, Decided | SentinelError] = {}
        left = list(range(len(events)))
        for attempt in range(_TRIES):
            if attempt:
                sleep(_AGAIN_AFTER_S)
            found.update(zip(left, self._store_once([events[i] for i in left]), strict=True))
            left = [i for i in left if isinstance(found[i], InFlight)]
            if not left:
                break
        return [found[i] for i in range(len(events))]

    def _store_once(self, events: Sequence[AnyEvent]) -> Sequence[Decided | SentinelError]:
        tenant_id = self._job.tenant_id
        assignment = self._assign(tenant_id, self._type)
        arrived_s = perf_counter()
        origin = Origin(f"upload-{self._job.upload.number}")
        items = [Item(tenant_id, assignment, [event], arrived_s, origin) for event in events]
        outcomes, report = self._scorer.store(items)
        report.write()
        return outcomes

    def _was_decided_before(self, one: Decided) -> bool:
        """Return whether a row was decided before the upload, and not by an earlier try of it."""
        started_at = self._job.upload.started_at
        return one.decided_at is not None and (started_at is None or one.decided_at < started_at)

    def _fault(self, error: SentinelError) -> Fault:
        if isinstance(error, IdempotencyMismatch | InFlight):
            column = (self._job.upload.mapping or {}).get(EXTERNAL_ID, "")
            reason = (
                "was used before for another event"
                if isinstance(error, IdempotencyMismatch)
                else "is being decided by another request"
            )
            return Fault(column, EXTERNAL_ID, reason)
        return Fault("", "", str(error))

    def _chunk(
        self,
        rows: Sequence[Row],
        decided: dict[int, Decided],
        bad: dict[int, tuple[Fault, ...]],
    ) -> Chunk:
        separator = self._job.upload.shape.separator
        outcomes = Counter(one.prediction.decision for one in decided.values())
        return Chunk(
            first_row=rows[0].number,
            rows=len(rows),
            rejected=len(bad),
            repeated=sum(map(self._was_decided_before, decided.values())),
            reviewed=outcomes["review"],
            declined=outcomes["decline"],
            results=b"".join(
                result_line(separator, rows[place].cells, one.prediction, one.transaction_id)
                for place, one in decided.items()
            ),
            rejects=b"".join(
                reject_line(separator, rows[place], bad[place]) for place in sorted(bad)
            ),
            faults=[
                [rows[place].number, rows[place].line, [list(one) for one in bad[place]]]
                for place in sorted(bad)
            ],
        )

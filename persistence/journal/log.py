"""The decision log of the service: Postgres, or the journal while Postgres is away.

A tenant chooses: `reject` (503, the default) or `journal`. While Postgres works and the journal is
empty, a call costs one look at an attribute. Otherwise the journal's own keys are looked at first:
until a record is drained, only this process knows who has its `external_id`.

A batch whose connection broke may be stored all the same. It is journalled under the same ids, and
the drainer stores an id once (`persistence/journal/drainer.py`).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Sequence, Set
from datetime import UTC, datetime

from persistence.circuit import Circuit
from persistence.decisions.rows import Decided, body_digest
from persistence.decisions.writer import DecisionLog, Outcome
from persistence.idempotency import KeyedRequest, check_digest, in_flight
from persistence.journal.answers import (
    all_answered,
    key_in_flight,
    key_of,
    mismatch,
    repeated_in_batch,
)
from persistence.journal.journal import Journal
from persistence.journal.parts import KeptParts
from persistence.journal.places import Claim
from persistence.journal.records import Encoder, Entry, Key
from persistence.pipeline.libpq import idle
from scoring.errors import (
    NotStorable,
    StoreUnavailable,
)


class JournalledLog:
    """Stores decisions in Postgres or in the journal; safe to call from several threads.

    Args:
        log: decision log in Postgres.
        circuit: circuit of the payment path.
        journal: journal of this process; None where its folder cannot be used.
        journals: function that returns whether a tenant chose the journal.

    Attributes:
        is_diverted: whether Postgres is away or the journal holds records.
    """

    def __init__(
        self,
        log: DecisionLog,
        circuit: Circuit,
        journal: Journal | None,
        journals: Callable[[int], bool],
    ) -> None:
        self._log = log
        self._circuit = circuit
        self._journal = journal
        self._journals = journals
        self._encoder = Encoder()
        self._updating = threading.Lock()
        self.is_diverted = False
        self.update()

    def update(self) -> None:
        """Look again whether Postgres is away or the journal holds records."""
        with self._updating:
            has_records = self._journal is not None and self._journal.waiting > 0
            self.is_diverted = self._circuit.is_open or has_records

    def admit(self, tenant_id: int) -> None:
        """Refuse a tenant's request at once where it could only fail.

        Raises:
            StoreUnavailable: Postgres is away, and the tenant did not choose the journal.
        """
        if self._circuit.is_open and not self.takes(tenant_id):
            raise self._circuit.error()

    def allows_missing(self, tenant_id: int, error: StoreUnavailable) -> bool:
        """Take note of a fault of Postgres; return whether a tenant's windows may be missing.

        Args:
            tenant_id: tenant whose past events could not be read.
            error: fault.
        """
        self._circuit.open(error)
        return self.takes(tenant_id)

    def takes(self, tenant_id: int) -> bool:
        """Whether the journal takes a tenant's decisions while Postgres is away."""
        return self._journal is not None and self._journals(tenant_id)

    def write(
        self, batch: Sequence[Decided], meanwhile: Callable[[], None] = idle
    ) -> list[Outcome]:
        """Store decisions as `DecisionLog.write` does, or in the journal.

        Returns:
            For each, in order, what `DecisionLog.write` returns; a decision that the journal has is
            `is_journalled`.

        Raises:
            StoreUnavailable: Postgres is away, and none of the tenants chose the journal.
        """
        if self.is_diverted:
            return self._write_diverted(batch, meanwhile)
        try:
            return self._log.write(batch, meanwhile)
        except StoreUnavailable as error:
            return self._after_fault(batch, error)

    def has_free_connection(self) -> bool:
        """Return whether `write_on_loop` would block on nothing."""
        return not self.is_diverted and self._log.has_free_connection()

    async def write_on_loop(
        self, decided: Decided, meanwhile: Callable[[], None] = idle
    ) -> Outcome:
        """Store one decision as `DecisionLog.write_on_loop` does; a thread writes the journal."""
        try:
            return await self._log.write_on_loop(decided, meanwhile)
        except StoreUnavailable as error:
            (outcome,) = await asyncio.to_thread(self._after_fault, [decided], error)
            return outcome

    def write_whole(
        self,
        tenant_ids: Set[int],
        parts: Iterable[Sequence[Decided]],
        meanwhile: Callable[[], None] = idle,
        *,
        has_keys: bool,
        request: KeyedRequest | None = None,
    ) -> list[Decided]:
        """Store a batch of one tenant whole, as `DecisionLog.write_whole` does, or in the journal.

        Raises:
            StoreUnavailable: Postgres is away, and the tenant did not choose the journal.
        """
        (tenant_id,) = tenant_ids
        seen = KeptParts(parts)
        if self.is_diverted:
            if (earlier := self._earlier_batch(tenant_id, request)) is not None:
                return earlier
            if self._circuit.is_open or (has_keys and self._has_anykey_of(seen)):
                return self._journal_whole(tenant_id, seen, request, self._circuit.error())
        try:
            return self._log.write_whole(
                tenant_ids, seen.replayed(), meanwhile, has_keys=has_keys, request=request
            )
        except StoreUnavailable as error:
            self._circuit.open(error)
            if seen.is_broken:
                raise
            return self._journal_whole(tenant_id, seen, request, error)

    def _write_diverted(
        self, batch: Sequence[Decided], meanwhile: Callable[[], None]
    ) -> list[Outcome]:
        if self._circuit.is_open:
            return self._journal_each(batch, self._circuit.error())
        # Postgres is back, and the journal is not empty yet.
        journal = self._journal
        assert journal is not None  # noqa: S101 - it holds records
        outcomes: dict[int, Outcome] = {}
        for i, decided in enumerate(batch):
            key = key_of(decided)
            claim = journal.find(key) if key else None
            if claim is not None and (outcome := self._answer(claim, decided)) is not None:
                outcomes[i] = outcome
        rest = [i for i in range(len(batch)) if i not in outcomes]
        if rest:
            decisions = [batch[i] for i in rest]
            try:
                stored = self._log.write(decisions, meanwhile)
            except StoreUnavailable as error:
                stored = self._after_fault(decisions, error)
            outcomes.update(zip(rest, stored, strict=True))
        return [outcomes[i] for i in range(len(batch))]

    def _after_fault(self, batch: Sequence[Decided], error: StoreUnavailable) -> list[Outcome]:
        self._circuit.open(error)
        return self._journal_each(batch, error)

    def _journal_each(self, batch: Sequence[Decided], error: StoreUnavailable) -> list[Outcome]:
        """Write the decisions of the tenants that chose the journal; the others fail."""
        taken = [i for i, decided in enumerate(batch) if self.takes(decided.tenant_id)]
        if not taken:
            raise error
        outcomes: dict[int, Outcome] = dict.fromkeys(range(len(batch)), error)
        outcomes.update(zip(taken, self._journalled([batch[i] for i in taken]), strict=True))
        return [outcomes[i] for i in range(len(batch))]

    def _journalled(self, batch: Sequence[Decided]) -> list[Outcome]:
        journal = self._journal
        assert journal is not None  # noqa: S101 - it takes the decisions
        decided_at = datetime.now(UTC)
        outcomes: dict[int, Outcome] = {}
        entries: list[tuple[int, Entry]] = []
        first_of: dict[Key, int] = {}
        repeated: list[tuple[int, int]] = []
        for i, decided in enumerate(batch):
            key = key_of(decided)
            if key is not None and key in first_of:
                repeated.append((i, first_of[key]))
                continue
            entry = self._encoder.decision(decided, decided_at)
            if key is not None:
                digest = body_digest(decided.transaction)
                taken = journal.claim([(key, digest)]).get(key)
                if taken is not None:
                    outcomes[i] = self._answer(taken, decided) or key_in_flight(decided)
                    continue
                first_of[key] = i
            entries.append((i, entry))
        try:
            if entries:
                journal.append([entry for _, entry in entries])
        except StoreUnavailable as error:
            outcomes.update((i, error) for i, _ in entries)
        else:
            outcomes.update((i, batch[i]._replace(is_journalled=True)) for i, _ in entries)
        for i, first in repeated:
            outcomes[i] = repeated_in_batch(batch[i], batch[first], outcomes[first])
        return [outcomes[i] for i in range(len(batch))]

    def _journal_whole(
        self,
        tenant_id: int,
        seen: KeptParts,
        request: KeyedRequest | None,
        error: StoreUnavailable,
    ) -> list[Decided]:
        """Write a whole batch as one record, or nothing."""
        if not self.takes(tenant_id):
            raise error
        journal = self._journal
        assert journal is not None  # noqa: S101 - it takes the decisions
        batch = seen.all()
        answers: dict[int, Outcome] = {}
        first_of: dict[Key, int] = {}
        claimed: list[Key] = []
        new: list[int] = []
        try:
            if request is not None:
                own = Key(tenant_id, request.key, is_batch=True)
                if own in journal.claim([(own, request.digest)]):
                    raise in_flight(request.key)
                claimed.append(own)
            for i, decided in enumerate(batch):
                key = key_of(decided)
                if key is not None and key in first_of:
                    first = first_of[key]
                    answers[i] = repeated_in_batch(decided, batch[first], batch[first])
                    continue
                if key is not None:
                    first_of[key] = i
                    taken = journal.claim([(key, body_digest(decided.transaction))]).get(key)
                    if taken is not None:
                        answers[i] = self._answer(taken, decided) or key_in_flight(decided)
                        continue
                    claimed.append(key)
                new.append(i)
                answers[i] = decided._replace(is_journalled=True)
            answer = all_answered([answers[i] for i in range(len(batch))])
            decisions = [batch[i] for i in new]
            entry = self._encoder.batch(decisions, datetime.now(UTC), request, answer)
        except BaseException:
            journal.release(claimed)
            raise
        if decisions or request is not None:
            journal.append([entry])
        return answer

    def _earlier_batch(self, tenant_id: int, request: KeyedRequest | None) -> list[Decided] | None:
        """Return what a batch with the same key stored, where that is in the journal.

        Raises:
            InFlight: a batch with the same key is being written.
            IdempotencyMismatch: the key was used before with another request.
        """
        if request is None or self._journal is None:
            return None
        claim = self._journal.find(Key(tenant_id, request.key, is_batch=True))
        if claim is None:
            return None
        if claim.location is None:
            raise in_flight(request.key)
        check_digest(request, claim.digest)
        try:
            record = self._journal.read(claim.location)
        except FileNotFoundError:
            return None  # it is in Postgres since
        found = {decided.prediction_id: decided for decided in record.decisions}
        if any(id_ not in found for id_ in record.prediction_ids):
            raise in_flight(request.key)  # earlier records have some; they are drained first
        return [found[id_] for id_ in record.prediction_ids]

    def _has_anykey_of(self, seen: KeptParts) -> bool:
        journal = self._journal
        return journal is not None and any(
            key is not None and journal.find(key) is not None for key in map(key_of, seen.all())
        )

    def _answer(self, claim: Claim, decided: Decided) -> Outcome | None:
        """Return what answers a decision whose key is claimed; None where Postgres has it since."""
        if claim.location is None:
            return key_in_flight(decided)
        if claim.digest != body_digest(decided.transaction):
            return mismatch(decided)
        assert self._journal is not None  # noqa: S101 - it has the claim
        try:
            record = self._journal.read(claim.location)
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, OSError):
            return NotStorable("The journal cannot read the decision that it has of this payment.")
        external_id = decided.transaction.external_id
        for earlier in record.decisions:
            if earlier.transaction.external_id == external_id:
                return earlier
        return key_in_flight(decided)

"""What answers a decision whose key is not free."""

from __future__ import annotations

from collections.abc import Sequence

from persistence.decisions.rows import Decided, body_digest
from persistence.decisions.writer import KeysRefused, Outcome
from persistence.journal.records import Key
from scoring.errors import FieldError, IdempotencyMismatch, InFlight, SentinelError


def key_of(decided: Decided) -> Key | None:
    """Return the key that a decision claims; None without an external id."""
    external_id = decided.transaction.external_id
    return None if external_id is None else Key(decided.tenant_id, external_id)


def repeated_in_batch(decided: Decided, first: Decided, outcome: Outcome) -> Outcome:
    """Return what answers a decision whose key an earlier one of the same batch has."""
    if body_digest(decided.transaction) != body_digest(first.transaction):
        return mismatch(decided)
    return outcome._replace(is_journalled=True) if isinstance(outcome, Decided) else outcome


def all_answered(outcomes: Sequence[Outcome]) -> list[Decided]:
    """Return the decisions of a batch; raise KeysRefused unless all of them are stored."""
    refused = {i: o for i, o in enumerate(outcomes) if isinstance(o, SentinelError)}
    if refused:
        raise KeysRefused(
            "Nothing was stored.",
            errors=tuple(FieldError(f"{i}.external_id", o.title) for i, o in refused.items()),
            are_in_flight=all(isinstance(o, InFlight) for o in refused.values()),
        )
    return [outcome for outcome in outcomes if isinstance(outcome, Decided)]


def mismatch(decided: Decided) -> IdempotencyMismatch:
    """Return the error of a decision whose key was used with another body."""
    external_id = decided.transaction.external_id
    return IdempotencyMismatch(
        f"external_id {external_id!r} was used before with another transaction."
    )


def key_in_flight(decided: Decided) -> InFlight:
    """Return the error of a decision whose key another one holds that is being written."""
    external_id = decided.transaction.external_id
    return InFlight(f"external_id {external_id!r} is being decided; send the request again.")

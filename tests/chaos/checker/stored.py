"""Every answer against its row: lost, duplicated, altered, crossed, torn, refused but stored."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from tests.chaos.checker.evidence import Answer, Evidence, Finding
from tests.chaos.history import Attempt
from tests.chaos.payments import PROBES, mark_of
from tests.chaos.tables import SUPERSEDED, Row

DEFINITELY_REFUSED = {401, 403, 413, 422, 429}
"""Statuses by which nothing was decided or stored; 409, 5xx and no reply leave it open."""


def lost(evidence: Evidence) -> Iterator[Finding]:
    """Find decisions that a client has and no table."""
    for tenant, mark, answer in evidence.each_answer():
        prediction_id = answer.decision["prediction_id"]
        if prediction_id in evidence.row_of or _is_superseded(evidence, answer):
            continue
        reason = evidence.tables.set_aside.get(prediction_id)
        where = f"it is set aside ({reason})" if reason else "there is no row of it"
        sentence = f"A client has decision {prediction_id}, and {where}."
        yield Finding("lost", sentence, tenant, mark, answer.attempt.number)


def _is_superseded(evidence: Evidence, answer: Answer) -> bool:
    reason = evidence.tables.set_aside.get(answer.decision["prediction_id"], "")
    return SUPERSEDED in reason and evidence.may_be_decided_again(answer)


def duplicated(evidence: Evidence) -> Iterator[Finding]:
    """Find payments, and external ids, with more than one row."""
    of_id: dict[tuple[str, str], list[Row]] = {}
    for (tenant, mark), rows in evidence.rows.items():
        if len(rows) > 1 and not mark.startswith(f"p-{PROBES}-"):
            sentence = f"A payment has {len(rows)} rows: {_ids(rows)}."
            sent = evidence.sent.get((tenant, mark), [])
            number = sent[min(1, len(sent) - 1)].attempt.number if sent else 0
            yield Finding("duplicated", sentence, tenant, mark, number)
        for row in rows:
            if row.external_id is not None:
                of_id.setdefault((tenant, row.external_id), []).append(row)
    for (tenant, external_id), rows in of_id.items():
        marks = {mark_of(row.body) for row in rows}
        if len(marks) > 1:
            sentence = f"external_id {external_id!r} has {len(rows)} rows: {_ids(rows)}."
            yield Finding("duplicated", sentence, tenant, min(marks))
        claimed = evidence.tables.claims.get((tenant, external_id))
        if claimed not in {row.prediction_id for row in rows}:
            sentence = f"external_id {external_id!r} answers with {claimed}, stored: {_ids(rows)}."
            yield Finding("duplicated", sentence, tenant, min(marks))


def crossed(evidence: Evidence) -> Iterator[Finding]:
    """Find what one tenant has and another one sent, and what it was shown of another one."""
    for tenant, mark, answer in evidence.each_answer():
        row = evidence.row_of.get(answer.decision["prediction_id"])
        if row is not None and row.tenant != tenant:
            sentence = f"It was answered with {row.prediction_id}, which is {row.tenant}'s."
            yield Finding("crossed", sentence, tenant, mark, answer.attempt.number)
        model = answer.decision["model"]["name"]
        if model != f"fraud-{tenant}":
            sentence = f"It was decided by {model}, which is another tenant's."
            yield Finding("crossed", sentence, tenant, mark, answer.attempt.number)
    for attempt in evidence.attempts:
        if not attempt.payments and attempt.status == 200:
            sentence = f"{attempt.route} is another tenant's, and was shown."
            yield Finding("crossed", sentence, attempt.tenant, "", attempt.number)
    for (tenant, mark), rows in evidence.rows.items():
        if (tenant, mark) not in evidence.sent and not mark.startswith(f"p-{PROBES}-"):
            sentence = f"The tenant has never sent it, and has {_ids(rows)}."
            yield Finding("crossed", sentence, tenant, mark)


def altered(evidence: Evidence) -> Iterator[Finding]:
    """Find rows that differ from the reply, or from the payment that was sent."""
    for tenant, mark, answer in evidence.each_answer():
        row = evidence.row_of.get(answer.decision["prediction_id"])
        if row is None or row.tenant != tenant:
            continue
        differing = [
            *_differing(_as_replied(answer.decision), _as_stored(row)),
            *_differing(_sent(answer.attempt.payments[answer.place]), _sent(row.body)),
        ]
        for name, replied, stored in differing:
            sentence = (
                f"{name} of {row.prediction_id} is {stored!r} in its row"
                f" and {replied!r} for the client."
            )
            yield Finding("altered", sentence, tenant, mark, answer.attempt.number)


def torn(evidence: Evidence) -> Iterator[Finding]:
    """Find batches of which only a part is stored, and halves of decisions."""
    for half in evidence.tables.halves:
        yield Finding("torn", f"There is a {half} without its other half.", "")
    for attempt in _first_attempts(evidence):
        # Without Postgres, an id that was used before is decided again and set aside later.
        new = [
            mark_of(payment)
            for place, payment in enumerate(attempt.payments)
            if evidence.has_new_id(attempt, place)
        ]
        missing = [mark for mark in new if (attempt.tenant, mark) not in evidence.rows]
        if missing and len(missing) < len(new):
            sentence = f"{len(missing)} of the batch's {len(new)} new payments have no row."
            yield Finding("torn", sentence, attempt.tenant, missing[0], attempt.number)


def _first_attempts(evidence: Evidence) -> Iterator[Attempt]:
    seen: set[str] = set()
    for attempt in evidence.attempts:
        if attempt.route == "/score/batch" and attempt.operation not in seen:
            seen.add(attempt.operation)
            yield attempt


def refused_but_stored(evidence: Evidence) -> Iterator[Finding]:
    """Find payments that have a row although every answer says that nothing was stored."""
    for (tenant, mark), sent in evidence.sent.items():
        rows = evidence.rows.get((tenant, mark))
        if rows and all(one.attempt.status in DEFINITELY_REFUSED for one in sent):
            last = sent[-1].attempt
            sentence = f"Each answer was a refusal, such as {last.status}; stored is {_ids(rows)}."
            yield Finding("refused but stored", sentence, tenant, mark, last.number)


_NUMBERS = ("score", "margin", "base_value", "threshold", "risk_band", "decision", "transaction_id")


def _as_replied(decision: dict[str, Any]) -> dict[str, Any]:
    reasons = {f"contribution of {f['name']}": f["contribution"] for f in decision["top_features"]}
    values = {f"value of {f['name']}": f["value"] for f in decision["top_features"]}
    model = decision["model"]
    return (
        {name: decision[name] for name in _NUMBERS}
        | {"model": model["name"], "version": model["version"]}
        | {"unread_windows": decision.get("unread_windows", [])}
        | reasons
        | values
    )


def _as_stored(row: Row) -> dict[str, Any]:
    return (
        {name: getattr(row, name) for name in _NUMBERS}
        | {"model": row.model_name, "version": row.model_version}
        | {"unread_windows": row.unread_windows}
        | {f"contribution of {name}": value for name, value in row.contributions.items()}
        | {f"value of {name}": value for name, value in row.features.items()}
    )


def _sent(body: dict[str, Any]) -> dict[str, Any]:
    """Return a payment with its time as a number, since a time has more than one form."""
    values = {f"field {name}": value for name, value in body.items()}
    if "TX_DATETIME" in body:
        moment = datetime.fromisoformat(body["TX_DATETIME"])
        values["field TX_DATETIME"] = moment.timestamp()
    return values


def _differing(one: dict[str, Any], other: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for name, value in one.items():
        if value != other.get(name):
            yield name, value, other.get(name)


def _ids(rows: list[Row]) -> str:
    return ", ".join(row.prediction_id for row in rows)

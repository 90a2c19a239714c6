"""Infer the event type of a file: a draft for a person, who knows what the columns mean."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from scoring.columns import BoolArray
from scoring.counted import counted
from scoring.event_type.checks import check_event_type
from scoring.event_type.fields import EventType, Field
from scoring.event_type.limits import (
    MAX_FIELD_NAME_LENGTH,
    MAX_FIELDS,
    MAX_FUTURE_US,
    RESERVED_FIELDS,
    is_event_type_name,
)
from scoring.event_type.visible_text import is_trimmed, is_visible
from scoring.printable import printable
from training.data.table_file import MissingColumns, readable
from training.errors import TrainingError
from training.event_types.draft import Draft
from training.event_types.field_rules import FieldDraft, draft_field, draft_timestamp
from training.event_types.labels import LABEL_RULE, labels
from training.event_types.names import entity_hint, time_rank
from training.event_types.profile import Profile, profile
from training.event_types.table import EventTable, read_table
from training.event_types.times import Times, times


def infer(path: Path, label: str, time: str | None = None) -> Draft:
    """Infer an event type from a file of labelled events.

    Args:
        path: CSV or Parquet file.
        label: column that has the labels.
        time: column that has the time of each event; None: the one that looks most like it.

    Raises:
        TrainingError: the file cannot be read, or lacks one of the two columns, or they hold
            neither labels nor times.
    """
    needed = [label, *([] if time is None else [time])]
    with readable(path) as source:
        try:
            found = read_table(
                path, source, needed, needed, lambda name: name in needed or _can_be_field(name)
            )
        except MissingColumns as error:
            raise TrainingError(error.with_names_meant()) from error
        is_fraud = _labels(found, label)
        names = [name for name in found.table.column_names if name != label]
        if len(names) > MAX_FIELDS:
            raise TrainingError(
                f"{source} has {len(names):,} columns; an event type has at most {MAX_FIELDS} "
                "fields. Leave out those that are not sent with an event."
            )
        if not names:
            raise TrainingError(f"{source} has no column that can be a field, beside the label.")
        profiles = [profile(name, found.table[name]) for name in names]
    drafts = [_drafted(column, found, is_fraud, time) for column in profiles]
    drafts = _without_later_times(_with_time(drafts, time, source))
    drafts = _with_amount(_with_sides(drafts))
    event_type = EventType(_name(path), label, tuple(draft.field for draft in drafts))
    check_event_type(event_type)
    dates = tuple(draft.field.name for draft in drafts if draft.date_fault)
    return Draft(
        event_type,
        tuple(_comments(found, label, is_fraud, event_type, dates)),
        {draft.field.name: draft.comments for draft in drafts if draft.comments},
        rows=is_fraud.size,
        frauds=int(np.count_nonzero(is_fraud)),
        unread_dates=dates,
    )


def _can_be_field(name: str) -> bool:
    is_name = len(name) <= MAX_FIELD_NAME_LENGTH and is_visible(name) and is_trimmed(name)
    return is_name and name not in RESERVED_FIELDS


def _labels(found: EventTable, label: str) -> BoolArray:
    column = found.table[label]
    values = labels(column)
    unread = np.flatnonzero(np.isnan(values))
    if unread.size:
        row = int(unread[0])
        cell = column[row].as_py()
        shown = "empty" if cell in (None, "") else printable(repr(cell))[:60]
        verb = "is" if unread.size == 1 else "are"
        raise TrainingError(
            f"{found.source}, {found.place(row)}: the label {printable(label)} must be "
            f"{LABEL_RULE}, not {shown}. {unread.size:,} of {values.size:,} rows {verb} not valid."
        )
    return np.asarray(values == 1)


def _drafted(
    column: Profile, found: EventTable, is_fraud: BoolArray, time: str | None
) -> FieldDraft:
    epoch = _epoch(column, found, time)
    # The column that the user names is a time, also where it happens to separate the labels.
    if column.name == time and (named := epoch or column.times):
        return draft_timestamp(column, named)
    return draft_field(column, is_fraud, epoch)


def _epoch(column: Profile, found: EventTable, time: str | None) -> Times | None:
    """Return a column's times where its numbers count from 1970, else None.

    That is so where its name is that of a time, and its times are from 2000 to 2100, and of the
    column that the user names in any case.
    """
    if column.content not in ("integer", "number"):
        return None
    if column.name != time and time_rank(column.name) is None:
        return None
    epoch = times(found.table[column.name], column.missing)
    us = epoch.us[epoch.is_time]
    in_our_time = us.size and us.min() > 946_684_800e6 and us.max() < 4_102_444_800e6
    return epoch if in_our_time or column.name == time else None


def _with_time(drafts: list[FieldDraft], time: str | None, source: str) -> list[FieldDraft]:
    candidates = [
        draft for draft in drafts if draft.field.kind == "timestamp" and not draft.field.ignored
    ]
    if time is None:
        ranked = sorted(candidates, key=lambda draft: _or_last(time_rank(draft.field.name)))
        chosen = ranked[0] if ranked else None
        others = [draft.field.name for draft in ranked[1:]]
        note = f"Taken as the event's time; so might be {', '.join(others)}." if others else ""
    else:
        chosen = next(draft for draft in drafts if draft.field.name == time)
        if chosen.field.ignored and chosen.field.kind == "timestamp":
            raise TrainingError(
                f"{source}: the column {printable(time)} has times before 1970, which the time of "
                "an event may not be."
            )
        if chosen.date_fault is not None:
            raise TrainingError(
                f"{source}: the cells of the column {printable(time)} are {chosen.date_fault}"
            )
        if chosen.field.kind != "timestamp":
            raise TrainingError(
                f"{source}: the column {printable(time)} is no time; write times in ISO 8601, such "
                "as 2026-05-01T09:30:00Z, or as a number since 1970."
            )
        note = ""
    if chosen is None:
        return drafts
    if chosen.field.optional:
        note += " Every event needs its time: the rows without it will be refused."
    timed = chosen.changed(note.strip(), role="time", optional=False)
    return [timed if draft is chosen else draft for draft in drafts]


def _without_later_times(drafts: list[FieldDraft]) -> list[FieldDraft]:
    """Ignore timestamps such as a card's expiry, which requests may not send."""
    own = next((draft.times for draft in drafts if draft.field.role == "time"), None)
    if own is None:
        return drafts
    changed = []
    for draft in drafts:
        if draft.times is None or draft.field.role == "time":
            changed.append(draft)
            continue
        is_later = draft.times.us > own.us + MAX_FUTURE_US
        count = int(np.count_nonzero(is_later & own.is_time & draft.times.is_time))
        reason = (
            f"Ignored: in {counted(count, 'row')} it is more than 24 hours after the event, and "
            "so would be "
            "refused. Send the time in between as a number."
        )
        ignored = Field(draft.field.name, "timestamp", ignored=True)
        changed.append(FieldDraft(ignored, (reason,)) if count else draft)
    return changed


def _with_sides(drafts: list[FieldDraft]) -> list[FieldDraft]:
    """Give the first entity that may be the payer, and the payee, its role."""
    taken: set[str] = set()
    changed = []
    for draft in drafts:
        hint = entity_hint(draft.field.name)
        role = hint.role if hint and draft.field.kind == "entity" else None
        if role is None or role in taken or draft.field.ignored:
            changed.append(draft)
            continue
        taken.add(role)
        changed.append(draft.changed("So is its role.", role=role))
    return changed


def _with_amount(drafts: list[FieldDraft]) -> list[FieldDraft]:
    """Give the column that looks most like the amount its role."""
    candidates = [draft for draft in drafts if draft.amount_rank is not None]
    if not candidates:
        return drafts
    chosen = min(candidates, key=lambda draft: _or_last(draft.amount_rank))
    others = [draft.field.name for draft in candidates if draft is not chosen]
    note = f" So might be {', '.join(others)}." if others else ""
    bound = ""
    if chosen.greatest is not None and chosen.greatest > 0:
        # A hundred times the largest, rounded up to a power of ten.
        maximum = 10.0 ** np.ceil(np.log10(chosen.greatest) + 2)
        bound = f" A max such as {maximum:.0f} refuses mistyped ones."
    amount = chosen.changed(
        f"The role amount is a guess by the name.{note}{bound}",
        kind="number",
        role="amount",
        minimum=0.0 if chosen.least is not None and chosen.least >= 0 else None,
    )
    return [amount if draft is chosen else draft for draft in drafts]


def _comments(
    found: EventTable,
    label: str,
    is_fraud: BoolArray,
    event_type: EventType,
    dates: tuple[str, ...],
) -> list[str]:
    frauds = int(np.count_nonzero(is_fraud))
    rows = is_fraud.size
    comments = [
        f"Draft of an event type, inferred from {found.source}: {counted(rows, 'row')}, "
        f"{frauds:,} of them "
        f"fraud ({frauds / rows:.2%}).",
        "Check each comment and the name, then remove the comments. Remove fields that you do not "
        "send with an event.",
    ]
    if any(field.values for field in event_type.fields):
        comments.append(
            "A category with values is closed: an event with another value is refused. Without "
            "values it takes any."
        )
    if frauds in (0, rows):
        comments.append(f"All labels in {label} are the same; nothing can be learned from them.")
    roles = {field.role for field in event_type.fields}
    if "time" not in roles:
        hint = f" Is it {' or '.join(dates)}? See there how to write its dates." if dates else ""
        comments.append(
            f"No column was recognised as a time; windows over past events need one.{hint}"
        )
    if "amount" not in roles:
        comments.append("No column was recognised as the amount; give one the role amount.")
    left_out = [name for name in found.names if name and name != label and not _can_be_field(name)]
    if left_out:
        comments.append(
            f"Left out, because a field cannot have that name: {', '.join(map(repr, left_out))}."
        )
    if "" in found.names:
        comments.append("A column without a name, such as an index, is left out.")
    return comments


def _name(path: Path) -> str:
    """Return a name for an event type by the name of the file."""
    stem = path.name.split(".")[0].lower()
    name = re.sub(r"[^a-z0-9]+", "_", stem).strip("_")[:40]
    return name if is_event_type_name(name) else "event"


def _or_last(rank: int | None) -> float:
    return float("inf") if rank is None else rank

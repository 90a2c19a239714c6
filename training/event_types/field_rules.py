"""Choose the kind of a field by the cells and the name of its column."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from scoring.columns import BoolArray
from scoring.counted import counted
from scoring.event_type.fields import Field
from scoring.event_type.limits import (
    MAX_CATEGORY_LENGTH,
    MAX_ENTITY_LENGTH,
    MAX_INTEGER,
    MAX_TEXT_LENGTH,
)
from scoring.event_type.visible_text import is_visible
from scoring.printable import printable
from training.event_types.leaks import Separation, separation
from training.event_types.names import (
    SURE_AMOUNTS,
    EntityHint,
    amount_rank,
    entity_hint,
    is_code,
    is_known_later,
    is_row_id,
    is_state_after,
)
from training.event_types.profile import Profile
from training.event_types.times import Form, Times
from training.event_types.written_dates import fault_of_dates

LEAK = 0.95
SUSPICIOUS = 0.7
"""Precision and recall from which a column alone gives the label away, and may give it away."""

MAX_CLOSED_VALUES = 50
ROWS_A_VALUE = 20
"""A category is closed if it has at most MAX_CLOSED_VALUES and so many rows for each."""

MAX_CODES = 20
"""Largest number of different integers that may be codes."""

MIN_ENTITIES = 50
"""Number of different values above which a name such as `merchant` is that of an entity."""

_GROUPED_NUMBER = re.compile(r"[+-]?(?:\d{1,3}(?:[,.' ]\d{3})+|\d+)(?:[.,]\d+)?")
"""A number whose thousands may be separated, which no number in a file may be."""

_FORMS: dict[Form, str] = {
    "local": "The times have no zone and are read as UTC.",
    "seconds": "Read as seconds since 1970.",
    "milliseconds": "Read as milliseconds since 1970.",
    "microseconds": "Read as microseconds since 1970.",
    "nanoseconds": "Read as nanoseconds since 1970.",
}


@dataclass(frozen=True, slots=True)
class FieldDraft:
    """A field with sentences about it.

    Attributes:
        field: valid field.
        comments: sentences for the person who checks the draft.
        amount_rank: how well the field fits the amount, 0 best; None where it does not.
        least: smallest number of the column, or None.
        greatest: largest number of the column, or None.
        times: times of a timestamp, else None.
        date_fault: what `fault_of_dates` says of a column that would be a time, else None.
    """

    field: Field
    comments: tuple[str, ...] = ()
    amount_rank: int | None = None
    least: float | None = None
    greatest: float | None = None
    times: Times | None = None
    date_fault: str | None = None

    def changed(self, comment: str, **changes: Any) -> FieldDraft:  # noqa: ANN401 - of a field
        """Return the draft with other values of the field and one more comment, if any."""
        comments = (*self.comments, comment) if comment else self.comments
        return replace(self, field=replace(self.field, **changes), comments=comments)


def draft_field(column: Profile, is_fraud: BoolArray, epoch: Times | None) -> FieldDraft:
    """Return a field for a column.

    Args:
        column: what its cells are.
        is_fraud: labels, bool (n,).
        epoch: times of a column of numbers since 1970; None where the numbers are no times.
    """
    if reason := _reason_to_ignore(column, is_fraud.size):
        return _ignored(column, reason)
    found = separation(column.codes, column.numbers, is_fraud)
    if found and found.least >= LEAK:
        return _ignored(
            column,
            f"Ignored: it gives the label away (precision {found.precision:.3f}, recall "
            f"{found.recall:.3f} alone). Is it made from the label, or known only after it?",
        )
    if is_known_later(column.name):
        return _ignored(column, "Ignored: by its name it is known only once the label is.")
    if found_times := epoch or column.times:
        return draft_timestamp(column, found_times)
    draft = _DRAFTS[column.content](column)
    if draft.field.ignored:
        return draft
    draft = replace(draft, comments=(*draft.comments, *_warnings(column, found)))
    return _optional_if_missing(draft, column)


def draft_timestamp(column: Profile, found: Times) -> FieldDraft:
    """Return a timestamp, or an ignored field where some time is before 1970.

    Args:
        column: what the cells are.
        found: its times.
    """
    us = found.us[found.is_time]
    if us.min() < 0:
        return _ignored(
            column, "Ignored: some of its times are before 1970, which no timestamp may be."
        )
    first, last = (
        np.datetime64(int(moment), "us").astype("M8[s]") for moment in (us.min(), us.max())
    )
    comments = [f"From {first} to {last} UTC."]
    if found.form in _FORMS:
        comments.append(_FORMS[found.form])
    if found.form != "zoned":
        comments.append("Send RFC 3339, such as 2026-05-01T09:30:00Z.")
    draft = FieldDraft(Field(column.name, "timestamp"), tuple(comments), times=found)
    return _optional_if_missing(draft, column)


def _optional_if_missing(draft: FieldDraft, column: Profile) -> FieldDraft:
    count, rows = int(np.count_nonzero(column.missing)), column.missing.size
    if not count:
        return draft
    comment = f"Missing in {count:,} of {counted(rows, 'row')} ({count / rows:.1%})."
    changed = draft.changed(comment, optional=True)
    if draft.field.kind != "category" or not column.missing_words:
        return changed
    words = ", ".join(map(_shown, column.missing_words))
    kept = f"{words} counts as missing; name it in `values` if it is one, such as NA for Namibia."
    return changed.changed(kept, optional=True)


def _reason_to_ignore(column: Profile, n: int) -> str | None:
    """Return why a column is ignored whatever its kind would be, as a sentence, or None."""
    if column.content == "nothing":
        return "Ignored: every cell is missing."
    if column.content == "other":
        return "Ignored: its cells are neither numbers, nor text, nor times."
    if n > 1 and column.distinct_count == 1 and not column.missing.any():
        return f"Ignored: it is {_shown(next(iter(column.counts)))} in every row."
    is_unique = column.distinct_count == n > 1
    hint = entity_hint(column.name)
    if is_unique and hint is None and column.content in ("integer", "text"):
        is_run = column.content == "integer" and np.ptp(column.numbers) == n - 1
        if is_run or is_row_id(column.name):
            return (
                "Ignored: it numbers the rows. Send the id of an event as external_id, which every "
                "event may have."
            )
    return None


def _warnings(column: Profile, found: Separation | None) -> Iterator[str]:
    if found and found.least >= SUSPICIOUS:
        yield (
            f"It nearly gives the label away (precision {found.precision:.2f}, recall "
            f"{found.recall:.2f} alone): ignore it unless it is known before the decision."
        )
    if is_state_after(column.name):
        yield "By its name it may be the state after the payment: ignore it if so."


def _ignored(column: Profile, reason: str) -> FieldDraft:
    kinds: dict[str, Any] = {"boolean": "boolean", "integer": "integer", "number": "number"}
    kinds["time"] = "timestamp"
    return FieldDraft(
        Field(column.name, kinds.get(column.content, "text"), ignored=True), (reason,)
    )


def _boolean(column: Profile) -> FieldDraft:
    return FieldDraft(Field(column.name, "boolean"))


def _number(column: Profile) -> FieldDraft:
    hint = _hint(column)
    if hint and column.content == "integer":
        return _entity(column, hint)
    present = column.numbers[~column.missing]
    if not np.isfinite(present).all():
        return _ignored(column, "Ignored: some of its numbers are infinite.")
    rank = amount_rank(column.name)
    if rank is None and set(np.unique(present).tolist()) == {0.0, 1.0}:
        return FieldDraft(Field(column.name, "boolean"), ("0 and 1 here; send true or false.",))
    least, greatest = float(present.min()), float(present.max())
    comments = [f"From {least:.15g} to {greatest:.15g}."]
    if column.has_decimal_commas:
        comments.append(
            "Its numbers are read with decimal commas, so 1,234 is less than 2. Send JSON numbers."
        )
    if hint and np.all(present == np.floor(present)):
        comments.append(
            f"By its name it is a {hint.entity}: if so, write the file's numbers without a decimal "
            "point and make it an entity."
        )
    is_integer = column.content == "integer" and max(-least, greatest) <= MAX_INTEGER
    if is_integer and (is_code(column.name) or column.distinct_count <= MAX_CODES):
        comments.append(
            f"{counted(column.distinct_count, 'different value')}: if they are codes without an "
            "order, make "
            "it a category and send text."
        )
    # Names such as `total` may also count something.
    fits_amount = rank is not None and (rank < SURE_AMOUNTS or not is_integer)
    return FieldDraft(
        Field(column.name, "integer" if is_integer else "number"),
        tuple(comments),
        amount_rank=rank if fits_amount else None,
        least=least,
        greatest=greatest,
    )


def _text(column: Profile) -> FieldDraft:
    name, counts = column.name, column.counts
    longest = max(map(len, counts))
    comments = []
    if column.has_leading_zeros:
        comments.append("Digits with zeros in front: text, so that the zeros stay.")
    if column.not_numbers:
        odd = ", ".join(map(_shown, column.not_numbers[:3]))
        comments.append(f"Most cells are numbers, but not {odd}; correct them if it is a number.")
    elif column.not_times:
        odd = ", ".join(map(_shown, column.not_times[:3]))
        comments.append(f"Most cells are times, but not {odd}; correct them if it is a time.")
    elif all(map(_GROUPED_NUMBER.fullmatch, counts)) and not column.has_leading_zeros:
        comments.append(
            "Its cells look like numbers with separated thousands, or with decimal commas in some "
            f"and points in others, such as {_shown(max(counts))}: write them as 1234.5 if it is a "
            "number."
        )
    if longest > MAX_TEXT_LENGTH or any("\0" in value for value in counts):
        return _ignored(
            column, f"Ignored: some texts are longer than {MAX_TEXT_LENGTH:,} characters."
        )
    if fault := fault_of_dates(counts):
        ignored = _ignored(column, f"Ignored: its cells are {fault}")
        return replace(ignored, date_fault=fault)
    is_line = all(map(is_visible, counts))
    hint = _hint(column)
    if hint and longest <= MAX_ENTITY_LENGTH and is_line:
        draft = _entity(column, hint)
        return replace(draft, comments=(*comments, *draft.comments))
    is_short = longest <= MAX_CATEGORY_LENGTH and is_line
    rows = column.present_count
    if is_short and len(counts) <= min(MAX_CLOSED_VALUES, rows / ROWS_A_VALUE):
        rare = [value for value, count in counts.items() if count < ROWS_A_VALUE]
        if rare:
            some = ", ".join(map(_shown, rare[:3]))
            comments.append(
                f"{counted(len(rare), 'of the values is', 'of the values are')} in fewer than "
                f"{ROWS_A_VALUE} rows, such as {some}: "
                f"{'is it' if len(rare) == 1 else 'are they'} correct?"
            )
        return FieldDraft(Field(name, "category", values=tuple(sorted(counts))), tuple(comments))
    comments.append(f"{counted(len(counts), 'different value')} in {counted(rows, 'row')}.")
    if is_short and len(counts) * 2 <= rows:
        comments.append("Is it something with a history? Then make it an entity.")
        return FieldDraft(Field(name, "category"), tuple(comments))
    comments.append("Text is stored and shown, but never a feature.")
    return FieldDraft(Field(name, "text"), tuple(comments))


def _entity(column: Profile, hint: EntityHint) -> FieldDraft:
    count = column.distinct_count
    comments = [f"{counted(count, 'different value')} in {counted(column.present_count, 'row')}."]
    if count == column.present_count:
        comments.append("Each occurs once, so it has no history here.")
    comments.append(f"That it is the {hint.entity} is a guess by the name.")
    return FieldDraft(Field(column.name, "entity", entity=hint.entity), tuple(comments))


def _hint(column: Profile) -> EntityHint | None:
    """Return the entity of a column that has enough values for one, or None."""
    hint = entity_hint(column.name)
    few = MIN_ENTITIES if hint and not hint.is_certain else 2
    return hint if column.distinct_count > few else None


def _shown(value: str) -> str:
    text = printable(repr(value))
    return text if len(text) <= 40 else f"{text[:37]}..."


_DRAFTS = {
    "boolean": _boolean,
    "integer": _number,
    "number": _number,
    "text": _text,
}
"""Draft of each content that is neither ignored nor a time."""

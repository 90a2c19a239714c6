"""The YAML of a draft reads back to the same event type, whatever its names are."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.event_type.checks import event_type_errors
from scoring.event_type.document import from_document
from scoring.event_type.fields import EventType, Field
from training.event_types.draft import Draft, write_draft

NAMES = st.text(min_size=1, max_size=128) | st.sampled_from(
    [
        "no",
        "y",
        "1",
        "null",
        "~",
        "a: b",
        "# x",
        "'",
        '"',
        "{a}",
        "- a",
        "2026-01-01",
        "👍",
        "=",
        "<<",
    ]
)
BOUNDS = st.none() | st.floats(allow_nan=False, allow_infinity=False)


def test_each_field_is_a_line_below_its_comments() -> None:
    fields = (
        Field("TX_DATETIME", "timestamp", role="time"),
        Field("card id", "entity", role="payer", entity="card", optional=True),
        Field("TX_AMOUNT", "number", role="amount", minimum=0.0, maximum=0.5),
        Field("default", "category", values=("no", "yes", "a b", "ok")),
        Field("no", "integer", ignored=True),
    )
    draft = Draft(
        EventType("payments", "is fraud", fields),
        ("About the file.",),
        {"default": ("First\nline.", "Second."), "no": ("word " * 30,)},
        rows=90,
        frauds=9,
    )
    assert write_draft(draft) == (
        "# About the file.\n"
        "name: payments\n"
        'label: "is fraud"\n'
        "fields:\n"
        "  TX_DATETIME: {kind: timestamp, role: time}\n"
        '  "card id": {kind: entity, entity: card, role: payer, optional: true}\n'
        "  TX_AMOUNT: {kind: number, role: amount, min: 0, max: 0.5}\n"
        "  # First\\nline.\n"
        "  # Second.\n"
        '  default: {kind: category, values: ["no", "yes", "a b", ok]}\n'
        f"  # {('word ' * 19).strip()}\n"
        f"  # {('word ' * 11).strip()}\n"
        '  "no": {kind: integer, ignored: true}\n'
    )


@given(
    NAMES,
    st.none() | NAMES,
    st.lists(NAMES, min_size=1, unique=True),
    BOUNDS,
    BOUNDS,
    st.text(),
)
@settings(deadline=None)
def test_any_draft_is_read_back(
    name: str,
    label: str | None,
    values: list[str],
    low: float | None,
    high: float | None,
    note: str,
) -> None:
    event_type = EventType(
        "payments",
        label,
        (
            Field(name, "category", values=tuple(values)),
            Field("a bound", "number", minimum=low, maximum=high),
        ),
    )
    if any(event_type_errors(event_type)):
        return
    text = write_draft(Draft(event_type, (note,), {name: (note,)}, 90, 9))
    assert from_document(yaml.safe_load(text)) == event_type


@pytest.mark.parametrize("bound", [1e20, 1e-7, -1e300, 2.0**53, 1e15, 0.1])
def test_large_and_small_bounds_are_numbers_of_yaml(bound: float) -> None:
    event_type = EventType("payments", None, (Field("x", "number", minimum=bound),))
    assert (
        from_document(yaml.safe_load(write_draft(Draft(event_type, (), {}, 90, 9)))) == event_type
    )

"""What changes between two versions of an event type, and whether it is compatible.

A change is compatible if every event of the old version is valid in the new one and means the same
to a model of the old one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from scoring.event_type.fields import EventType, Field

What = Literal[
    "name", "label", "added", "removed", "kind", "role", "entity", "min", "max", "values",
    "optional", "ignored",
]  # fmt: skip

_NEW_TYPE = "make a new event type for it"


@dataclass(frozen=True, slots=True)
class Change:
    """One change of an event type.

    Attributes:
        field: name of the field, or None for the event type itself.
        what: key of the document that changed; `added` and `removed` for a whole field.
        is_compatible: whether the new version may replace the old one.
        sentence: what changed and, of an incompatible change, why it is one and what to do.
    """

    field: str | None
    what: What
    is_compatible: bool
    sentence: str


def changes(old: EventType, new: EventType) -> tuple[Change, ...]:
    """Return what changes from one version to the next; nothing if they are the same.

    The order of the fields means nothing.
    """
    return tuple(_changes(old, new))


def _changes(old: EventType, new: EventType) -> Iterator[Change]:
    if old.name != new.name:
        yield _incompatible(
            None,
            "name",
            f"The name changes from {old.name} to {new.name}; an event type keeps its name, so "
            f"{_NEW_TYPE}.",
        )
    if old.label != new.label:
        yield _incompatible(
            None,
            "label",
            f"The label changes from {old.label or 'none'} to {new.label or 'none'}; models of "
            f"both versions would learn different things, so {_NEW_TYPE}.",
        )
    before = {field.name: field for field in old.fields}
    after = {field.name: field for field in new.fields}
    for name, field in before.items():
        if name not in after:
            advice = "Keep it." if field.optional else "Make it optional, or keep it."
            yield _incompatible(
                name,
                "removed",
                f"{name} is removed; clients that send it would be refused and models that use it "
                f"would lack it. {advice}",
            )
    for name, field in after.items():
        yield from _field_changes(before[name], field) if name in before else _added(field)


def _added(field: Field) -> Iterator[Change]:
    name = field.name
    if field.ignored:
        yield Change(name, "added", True, f"{name} is new and ignored.")
    elif field.optional:
        yield Change(name, "added", True, f"{name} is new and optional.")
    else:
        yield _incompatible(
            name,
            "added",
            f"{name} is new and required; clients that do not send it yet would be refused. Make "
            "it optional.",
        )


def _field_changes(old: Field, new: Field) -> Iterator[Change]:
    name = old.name
    if old.ignored and new.ignored:
        return
    if old.ignored:
        if new.optional:
            sentence = f"{name} is no longer ignored; as a new optional field it may be missing."
            yield Change(name, "ignored", True, sentence)
        else:
            yield _incompatible(
                name,
                "ignored",
                f"{name} is no longer ignored but required; clients that do not send it would be "
                "refused. Make it optional.",
            )
        return
    if new.ignored:
        yield _incompatible(
            name,
            "ignored",
            f"{name} becomes ignored; models that use it would lack it. Make it optional instead.",
        )
        return
    if old.kind != new.kind:
        yield _incompatible(
            name,
            "kind",
            f"{name} changes from {old.kind} to {new.kind}; stored events and models have the old "
            "kind. Add an optional field with another name.",
        )
        return
    yield from _meaning(old, new)
    yield from _bounds(old, new)
    yield from _values(old, new)
    if new.optional and not old.optional:
        yield Change(name, "optional", True, f"{name} becomes optional.")
    if old.optional and not new.optional:
        yield _incompatible(
            name,
            "optional",
            f"{name} becomes required; clients that do not send it would be refused. Keep it "
            "optional.",
        )


def _meaning(old: Field, new: Field) -> Iterator[Change]:
    if old.role != new.role:
        yield _incompatible(
            old.name,
            "role",
            f"{old.name} changes its role from {old.role or 'none'} to {new.role or 'none'}; "
            f"stored events and decisions have the old one, so {_NEW_TYPE}.",
        )
    if old.entity != new.entity:
        yield _incompatible(
            old.name,
            "entity",
            f"{old.name} changes its entity from {old.entity} to {new.entity}; its history belongs "
            f"to the old one, so {_NEW_TYPE}.",
        )


def _bounds(old: Field, new: Field) -> Iterator[Change]:
    name = old.name
    if old.minimum != new.minimum:
        was, is_now = _shown(old.minimum), _shown(new.minimum)
        if _or(new.minimum, -math.inf) < _or(old.minimum, -math.inf):
            yield Change(name, "min", True, f"{name} may be smaller: min from {was} to {is_now}.")
        else:
            yield _narrower(name, "min", was, is_now)
    if old.maximum != new.maximum:
        was, is_now = _shown(old.maximum), _shown(new.maximum)
        if _or(new.maximum, math.inf) > _or(old.maximum, math.inf):
            yield Change(name, "max", True, f"{name} may be larger: max from {was} to {is_now}.")
        else:
            yield _narrower(name, "max", was, is_now)


def _narrower(name: str, what: Literal["min", "max"], was: str, is_now: str) -> Change:
    return _incompatible(
        name,
        what,
        f"{name} has a narrower {what}, {is_now} after {was}; events that were valid would be "
        "refused. Keep the bound, or widen it.",
    )


def _values(old: Field, new: Field) -> Iterator[Change]:
    name = old.name
    if old.values == new.values:
        return
    if new.values is None:
        yield Change(name, "values", True, f"{name} becomes open: it accepts any value.")
        return
    if old.values is None:
        yield _incompatible(
            name,
            "values",
            f"{name} becomes a closed category; events with other values would be refused. Keep "
            "it open.",
        )
        return
    if new.values[: len(old.values)] == old.values:
        added = ", ".join(new.values[len(old.values) :])
        yield Change(name, "values", True, f"{name} has new values: {added}.")
        return
    removed = [value for value in old.values if value not in set(new.values)]
    if removed:
        why = f"{name} lacks {', '.join(removed)}; events with it would be refused. Keep the values"
    else:
        why = f"{name} has its values in another order; models know them by their places. Keep it"
    yield _incompatible(name, "values", f"{why}, and add new ones at the end.")


def _incompatible(field: str | None, what: What, sentence: str) -> Change:
    return Change(field, what, is_compatible=False, sentence=sentence)


def _or(bound: float | None, infinite: float) -> float:
    return infinite if bound is None else bound


def _shown(bound: float | None) -> str:
    return "none" if bound is None else f"{bound:.15g}"

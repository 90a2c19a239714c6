"""Suggest a feature set for any event type: its own fields, and the history of its entities.

The windows are those that card and transfer fraud shows in: how often and how much an entity paid
over an hour to a month, against its own mean and spread, with how many counterparties, how long
ago, and how much of what it took part in turned out to be fraud. Le Borgne et al., "Reproducible
Machine Learning for Credit Card Fraud Detection" (2022), chapter 3, "Feature transformation".
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from scoring.event_type.fields import EventType, Field
from scoring.expressions.canonical import field_text
from scoring.feature_set.definition import FeatureDefinition
from scoring.feature_set.feature_set import FeatureSet

# docs/quality.md compares these with more and with fewer windows, on five weeks of card payments.
COUNTED_OVER = ("1h", "1d", "7d", "30d")
MONTH = "30d"
USUAL = "90d"
"""Time whose mean is what an entity usually pays; one that is taken over pays more than that."""
RECENT = ("7d", "30d")
RISK_OVER = ("1d", "3d", "7d", "14d", "21d", "28d")
LABEL_DELAY = "7d"
"""Time until the label of an event counts in a risk."""
EARLIER = ("21d", "28d")
"""How long ago the earlier weeks ended whose risk tells an old wave of fraud from a new one."""
MAX_ENTITIES = 3
"""Entities with windows, payer and payee first; each further one adds about 20 windows."""


def suggest(event_type: EventType) -> FeatureSet:
    """Return a feature set for an event type, without features where it has nothing to learn from.

    Args:
        event_type: valid event type.
    """
    time = event_type.roles.get("time")
    own = [one for field in event_type.kept.values() for one in _own(field, time)]
    names: set[str] = set()
    definitions = []
    for name, expression, description in [*own, *_past(event_type)]:
        unique = _unique(name, names)
        names.add(unique)
        definitions.append(FeatureDefinition(unique, expression, description))
    return FeatureSet(tuple(definitions))


_Feature = tuple[str, str, str]


def _past(event_type: EventType) -> Iterator[_Feature]:
    """Yield the features of past events."""
    time = event_type.roles.get("time")
    entities = _entities(event_type)
    if time is None or not entities:
        return
    amount = event_type.roles.get("amount")
    for field in entities:
        others = [other for other in entities if other is not field]
        yield from _history(field, others, amount)
    if len(entities) > 1:
        first, second = entities[:2]
        pair = f"[{field_text(first.name)}, {field_text(second.name)}]"
        yield (
            f"first_{_noun(first)}_with_{_noun(second)}",
            f"count(by={pair}, window='90d') == 0",
            f"whether this {_noun(first)} is new to this {_noun(second)} in 90 days",
        )


def _own(field: Field, time: str | None) -> Iterator[_Feature]:
    """Yield the features of one field by itself."""
    reference = field_text(field.name)
    match field.kind:
        case "number" | "integer" | "boolean":
            yield field.name, reference, field.name
        case "category":
            yield field.name, f"code({reference})", field.name
        case "timestamp" if field.name == time:
            yield "hour", f"hour({reference})", "hour of the day, UTC"
            yield "weekday", f"weekday({reference})", "day of the week, UTC"
        case "timestamp" if time is not None:
            yield (
                f"seconds_since_{field.name}",
                f"{field_text(time)} - {reference}",
                f"seconds since {field.name}",
            )
        case "entity" | "text" if field.optional:
            yield (
                f"has_{field.name}",
                f"not is_missing({reference})",
                f"whether {field.name} is given",
            )


def _history(field: Field, others: list[Field], amount: str | None) -> Iterator[_Feature]:
    """Yield the features of the past events of one entity."""
    noun, by = _noun(field), f"by={field_text(field.name)}"
    for window in COUNTED_OVER:
        yield (
            f"{noun}_events_{window}",
            f"count({by}, window='{window}')",
            f"events of this {noun} in the last {_words(window)}",
        )
    for window in COUNTED_OVER[1:-1]:
        yield (
            f"{noun}_share_of_events_{window}",
            f"count({by}, window='{window}') / count({by}, window='{MONTH}')",
            f"share of the last {_words(window)} in this {noun}'s events of {_words(MONTH)}",
        )
    if amount is not None:
        yield from _amounts(noun, by, field_text(amount))
    for other in others:
        yield (
            f"{noun}_{_noun(other)}s_{MONTH}",
            f"distinct({field_text(other.name)}, {by}, window='{MONTH}')",
            f"different {_noun(other)}s of this {noun} in the last {_words(MONTH)}",
        )
    yield (
        f"{noun}_seconds_since_last",
        f"seconds_since_last({by})",
        f"seconds since this {noun}'s last event",
    )
    for window in RISK_OVER:
        yield (
            f"{noun}_risk_{window}",
            f"fraud_rate({by}, window='{window}', delay='{LABEL_DELAY}')",
            f"share of frauds among this {noun}'s events of the {_words(window)} before the last "
            f"{_words(LABEL_DELAY)}",
        )
    for delay in EARLIER:
        yield (
            f"{noun}_risk_before_{delay}",
            f"fraud_rate({by}, window='7d', delay='{delay}')",
            f"share of frauds among this {noun}'s events of the 7 days before the last "
            f"{_words(delay)}",
        )


def _amounts(noun: str, by: str, amount: str) -> Iterator[_Feature]:
    """Yield the features that compare an amount with the past ones of an entity."""
    yield (
        f"{noun}_mean_{MONTH}",
        f"mean({amount}, {by}, window='{MONTH}')",
        f"mean amount of this {noun} in the last {_words(MONTH)}",
    )
    for window in (*RECENT, USUAL):
        mean = f"mean({amount}, {by}, window='{window}')"
        yield (
            f"{noun}_amount_over_mean_{window}",
            f"{amount} / {mean}",
            f"amount as a multiple of this {noun}'s mean of {_words(window)}",
        )
    for window in (MONTH, USUAL):
        mean, spread = (f"{f}({amount}, {by}, window='{window}')" for f in ("mean", "std"))
        yield (
            f"{noun}_amount_deviation_{window}",
            f"({amount} - {mean}) / {spread}",
            f"standard deviations of the amount from this {noun}'s mean of {_words(window)}",
        )
    usual = f"mean({amount}, {by}, window='{USUAL}')"
    yield (
        f"{noun}_mean_over_usual_7d",
        f"mean({amount}, {by}, window='7d') / {usual}",
        f"this {noun}'s mean amount of 7 days as a multiple of that of {_words(USUAL)}",
    )
    for window in RECENT:
        yield (
            f"{noun}_max_over_usual_{window}",
            f"max({amount}, {by}, window='{window}') / {usual}",
            f"this {noun}'s largest amount of {_words(window)} as a multiple of its mean of "
            f"{_words(USUAL)}",
        )
    yield (
        f"{noun}_amount_over_max_{MONTH}",
        f"{amount} / max({amount}, {by}, window='{MONTH}')",
        f"amount as a share of this {noun}'s largest in the last {_words(MONTH)}",
    )


def _entities(event_type: EventType) -> list[Field]:
    """Return the entity fields with windows: payer and payee first.

    Fields that share an entity have none here: each is called by its own name.
    """
    fields = [field for field in event_type.kept.values() if field.kind == "entity"]
    sharing = Counter(field.entity for field in fields)
    fields = [replace(f, entity=None) if sharing[f.entity] > 1 else f for f in fields]
    first = [role for role in ("payer", "payee") if role in event_type.roles]
    order = [event_type.roles[role] for role in first]  # type: ignore[index]
    ranked = sorted(fields, key=lambda f: order.index(f.name) if f.name in order else len(order))
    return ranked[:MAX_ENTITIES]


def _noun(field: Field) -> str:
    """Return what an entity is called in a name: that of the entity, or of the field."""
    return _identifier(field.entity or field.name)


def _words(window: str) -> str:
    number, unit = int(window[:-1]), window[-1]
    name = {"m": "minute", "h": "hour", "d": "day"}[unit]
    return name if number == 1 else f"{number} {name}s"


def _identifier(name: str) -> str:
    cleaned = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")[:40]
    return cleaned if cleaned and not cleaned[0].isdigit() else f"f_{cleaned}"


def _unique(name: str, taken: set[str]) -> str:
    wanted = _identifier(name) if not re.fullmatch(r"[A-Za-z_]\w{0,63}", name, re.ASCII) else name
    unique, number = wanted, 2
    while unique in taken:
        unique, number = f"{wanted[:60]}_{number}", number + 1
    return unique

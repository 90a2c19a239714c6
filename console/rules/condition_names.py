"""The names that a condition can use, with an example of each, from the tenant's event type."""

from __future__ import annotations

from dataclasses import dataclass

from scoring.event_type.fields import EventType, Field
from scoring.expressions import Schema

_MOST_VALUES = 6


@dataclass(frozen=True, slots=True)
class Name:
    """Something that a condition can use.

    Attributes:
        text: what is written in the condition.
        kind: kind of its value, key of a text under `rules.kinds`.
        values: values of a closed category, the first ones.
    """

    text: str
    kind: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ConditionNames:
    """What a condition can use, by what it is.

    Attributes:
        fields: fields of the event.
        features: features of the version in production.
        lists: questions whether an entity of the event is in a list.
        windows: aggregates over an entity's past events, as examples.
        example: a condition.
    """

    fields: tuple[Name, ...]
    features: tuple[Name, ...]
    lists: tuple[Name, ...]
    windows: tuple[Name, ...]
    example: str


def condition_names(schema: Schema, event_type: EventType) -> ConditionNames:
    """Return the names that conditions can use.

    Args:
        schema: what conditions may name.
        event_type: event type that the tenant sends.
    """
    kept = event_type.kept
    scored = schema.scored
    return ConditionNames(
        fields=tuple(_field(one) for one in kept.values()),
        features=tuple(
            Name(f"feature('{name}')", kind)
            for name, kind in (scored.features if scored else {}).items()
        ),
        lists=tuple(
            Name(f"in_list('{name}', {one.name})", "boolean")
            for name, entity in (scored.lists if scored else {}).items()
            for one in kept.values()
            if one.entity == entity
        ),
        windows=_windows(schema, event_type),
        example=_example(event_type),
    )


def _field(one: Field) -> Name:
    # A field of this name is written so, since `score` is the model's.
    text = "field('score')" if one.name == "score" else one.name
    return Name(text, one.kind, (one.values or ())[:_MOST_VALUES])


def _example(event_type: EventType) -> str:
    amount = event_type.roles.get("amount")
    return "score > 0.2" if amount is None else f"score > 0.2 and {amount} > 1000"


def _windows(schema: Schema, event_type: EventType) -> tuple[Name, ...]:
    entities = [one.name for one in event_type.kept.values() if one.kind == "entity"]
    if not schema.has_time or not entities:
        return ()
    payer = event_type.roles.get("payer", entities[0])
    payee = event_type.roles.get("payee", entities[-1])
    amount = event_type.roles.get("amount")
    examples = [f"count(by={payer}, window='24h')"]
    if amount is not None:
        examples += [
            f"sum({amount}, by={payer}, window='7d')",
            f"mean({amount}, by={payer}, window='30d')",
            f"max({amount}, by={payer}, window='30d')",
        ]
    if payee != payer:
        examples += [
            f"distinct({payee}, by={payer}, window='1d')",
            f"count(by=[{payer}, {payee}], window='90d')",
        ]
    examples += [
        f"seconds_since_last(by={payer})",
        f"first_seen(by={payee})",
        f"fraud_rate(by={payee}, window='28d', delay='7d')",
    ]
    return tuple(Name(text, "number") for text in examples)

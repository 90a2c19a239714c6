"""The phrase of a feature over the fields of card payments."""

from __future__ import annotations

from scoring.event_type.fields import EventType
from scoring.feature_set.definition import FeatureDefinition
from scoring.feature_set.feature_set import FeatureSet
from scoring.feature_set.sentences import phrase
from tests.support.expressions.events import a_field


def an_event_type(*, with_entities: bool) -> EventType:
    customer, terminal = ("customer", "terminal") if with_entities else (None, None)
    return EventType(
        "card_payment",
        "TX_FRAUD",
        (
            a_field("TX_DATETIME", "timestamp", role="time"),
            a_field("OPENED", "timestamp"),
            a_field("CUSTOMER_ID", "entity", entity=customer),
            a_field("TERMINAL_ID", "entity", entity=terminal),
            a_field("TX_AMOUNT", "number"),
            a_field("BALANCE", "number"),
            a_field("IS_CHIP", "boolean"),
            a_field("CHANNEL", "category", values=("pos", "web")),
            a_field("SHOP", "category"),
        ),
    )


def phrase_of(
    expression: str,
    value: float,
    description: str | None = None,
    words: tuple[str, ...] | None = None,
    *,
    with_entities: bool = False,
) -> str:
    definition = FeatureDefinition("f", expression, description, words)
    compiled = FeatureSet((definition,), {"SHOP": ("books",)}).compile(
        an_event_type(with_entities=with_entities)
    )
    return phrase(compiled.features[0], value, compiled.schema)


MEAN_30D = "mean(TX_AMOUNT, by=CUSTOMER_ID, window='30d')"

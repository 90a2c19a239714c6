"""Nouns: what the parts of an expression are called in a sentence."""

from __future__ import annotations

from collections import Counter

from scoring.expressions import Schema
from scoring.expressions.canonical import canonical_text
from scoring.expressions.nodes import FieldValue, Negative, Node, Number, Window
from scoring.feature_set.wording import delayed_window_words, number_words, window_adjective
from scoring.windows.definition import WindowDefinition


class Nouns:
    """Names fields by their entities where they have one, and windows by what they aggregate.

    Of two fields with one entity, such as the accounts that pay and receive, each has its own name.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._fields_of = Counter(field.entity for field in schema.fields.values())

    def field(self, name: str) -> str:
        """Return a field's entity (`customer`), or its own name."""
        entity = self._schema.fields[name].entity
        return entity if entity is not None and self._fields_of[entity] == 1 else name

    def owner(self, definition: WindowDefinition) -> str:
        """Return whose history a window is of: `this customer and terminal`."""
        return f"this {' and '.join(self.field(name) for name in definition.by)}"

    def of(self, node: Node, beside: Node | None = None) -> str:
        """Return what a value is called.

        Args:
            node: part of an expression.
            beside: value that it is compared with; a window over the same value does not repeat it.
        """
        match node:
            case FieldValue(name):
                return self.field(name)
            case Number(value):
                return number_words(value)
            case Negative(Number(value)):
                return number_words(-value)
            case Window():
                return self._window(node, beside)
            case _:
                return canonical_text(node)

    def filter(self, definition: WindowDefinition) -> str:
        """Return ` where …` of a window with a filter, else an empty text."""
        return "" if definition.where is None else f" where {definition.where}"

    def _window(self, node: Window, beside: Node | None) -> str:
        definition = node.definition
        owner, where = self.owner(definition), self.filter(definition)
        window_us = definition.window_us
        if window_us is None:
            event = "last event" if definition.function == "seconds_since_last" else "first event"
            return f"the time since {owner}'s {event}{where}"
        adjective = window_adjective(window_us)
        match definition.function:
            case "count":
                return f"{owner}'s {adjective} number of events{where}"
            case "distinct":
                counted = "" if node.value is None else self.of(node.value)
                return f"{owner}'s {adjective} number of different values of {counted}{where}"
            case "fraud_rate":
                period = delayed_window_words(window_us, definition.delay_us)
                return f"the share of fraud in {owner}'s payments of the {period}{where}"
            case function:
                what = {"max": "maximum", "min": "minimum", "std": "standard deviation"}
                name = f"{owner}'s {adjective} {what.get(function, function)}"
                if node.value is None or node.value == beside:
                    return f"{name}{where}"
                return f"{name} of {self.of(node.value)}{where}"

"""What the windows of a feature set read of events: keys, values and conditions."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

import numpy as np

from scoring.columns import Column, Columns, FloatArray, TextColumn
from scoring.event_type.fields import EventType
from scoring.expressions import Categories, CompiledExpression, compile_expression
from scoring.windows.definition import WindowDefinition
from scoring.windows.events import BoolArray, Codes, Events, IntArray, Labels, joint_codes
from scoring.windows.point_in_time import WindowPlan

WindowColumns = Mapping[str, Column | Codes]
"""Columns by field name; of a text field that no expression reads the codes are enough."""


class WindowInputs:
    """Computes windows from the columns of events; made once for a model version.

    Args:
        windows: windows, without repetition.
        event_type: event type of the events.
        categories: learned values of open categories.

    Attributes:
        windows: windows in the order of their values.
        fields: names of the fields that are read.
        texts: those of `fields` whose texts are read by an expression.
        has_frauds: whether the labels of the events are read.
    """

    def __init__(
        self,
        windows: Sequence[WindowDefinition],
        event_type: EventType,
        categories: Categories,
    ) -> None:
        self.windows = tuple(windows)
        self._plan = WindowPlan(windows)
        self._by = tuple(dict.fromkeys(window.by for window in windows))
        self._counted: dict[str, str] = {}
        computed: set[str] = set()
        for window in windows:
            field = _counted_field(window)
            if field is not None:
                self._counted[str(window.value)] = field
            elif window.value is not None:
                computed.add(window.value)
        conditions = {window.where for window in windows if window.where is not None}

        def compiled(sources: set[str]) -> dict[str, CompiledExpression]:
            return {
                source: compile_expression(
                    source, event_type, categories=categories, is_stateless=True
                )
                for source in sorted(sources)
            }

        self._values = compiled(computed)
        self._conditions = compiled(conditions)
        expressions = (*self._values.values(), *self._conditions.values())
        in_expressions = {name for one in expressions for name in one.fields}
        keys = {name for by in self._by for name in by}
        self.fields = tuple(sorted(keys | in_expressions | set(self._counted.values())))
        self.texts = tuple(
            name
            for name in sorted(in_expressions)
            if event_type.kept[name].kind in ("category", "entity", "text")
        )
        self.has_frauds = any(window.function == "fraud_rate" for window in windows)

    def values(
        self,
        columns: WindowColumns,
        time_us: IntArray,
        labels: Labels | None,
        first_reader: int = 0,
        is_seen: BoolArray | None = None,
    ) -> FloatArray:
        """Return the windows of events that see each other in order.

        Args:
            columns: columns of `fields`, by arrival, n rows each.
            time_us: microseconds since 1970, int64 (n,).
            labels: labels; None where no window is a fraud rate.
            first_reader: row from which on events are readers; those before are only seen.
            is_seen: whether later events see each event, bool (n,); None where all are seen.

        Returns:
            A row for each window, float64 (windows, n - first_reader), NaN where missing.
        """
        # The columns of expressions are all there with their texts.
        known: Columns = {
            name: column for name, column in columns.items() if not isinstance(column, Codes)
        }
        keys = {by: joint_codes([_codes(columns[name]).codes for name in by]) for by in self._by}
        values: dict[str, FloatArray | Codes] = {
            value: expression.evaluate(known) for value, expression in self._values.items()
        }
        for value, field in self._counted.items():
            column = columns[field]
            values[value] = column if isinstance(column, np.ndarray) else _codes(column)
        conditions = {
            where: np.nan_to_num(expression.evaluate(known)) != 0
            for where, expression in self._conditions.items()
        }
        events = Events(time_us, keys, values, conditions, labels, is_seen)
        return self._plan.values(events, first_reader)


def _counted_field(window: WindowDefinition) -> str | None:
    """Return the field whose values a window counts; None of another window."""
    if window.function != "distinct" or window.value is None:
        return None
    # A name that is no identifier is written field('its name').
    node = ast.parse(window.value, mode="eval").body
    return str(ast.literal_eval(node.args[0])) if isinstance(node, ast.Call) else window.value


def _codes(column: Column | Codes) -> Codes:
    if isinstance(column, TextColumn):
        return Codes(column.codes, len(column.values))
    if isinstance(column, Codes):
        return column
    raise TypeError("a window is by an entity, which is text")

"""What the windows of a feature set read of events: keys, values and conditions."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

import numpy as np

from scoring.columns import Column, Columns, FloatArray, TextColumn
from scoring.event_type.fields import EventType
from scoring.expressions import Categories, CompiledExpression, compile_expression
from scoring.windows.definition import WindowDefinition
from scoring.windows.entity_plan import PreparedWindows, ReadersPast
from scoring.windows.events import BoolArray, Codes, Events, IntArray, Labels, joint_codes
from scoring.windows.past_columns import translated
from scoring.windows.point_in_time import WindowPlan
from scoring.windows.prepared.groups import Frauds

WindowColumns = Mapping[str, Column | Codes]
"""Columns by field name; of a text field that no expression reads the codes are enough."""

Prepared = Mapping[tuple[str, ...], PreparedWindows]
"""Windows with the structures that they read of past events, by their `by`."""


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
        keys = {by: joint_codes([_codes(columns[name]).codes for name in by]) for by in self._by}
        events = self._events(columns, keys, time_us, labels, is_seen)
        return self._plan.values(events, first_reader)

    def prepare(self, columns: WindowColumns, time_us: IntArray) -> Prepared:
        """Return the windows with the structures that they read of past events.

        Args:
            columns: columns of `fields` of m past events of one entity, by time.
            time_us: microseconds since 1970, int64 (m,).
        """
        keys = {by: self._past_keys(by, columns) for by in self._by}
        return self._plan.prepare(self._events(columns, keys, time_us, None, None))

    def values_after(
        self,
        prepared: Prepared,
        frauds: Mapping[tuple[str, ...], Frauds],
        past_codes: Mapping[str, IntArray],
        columns: WindowColumns,
        time_us: IntArray,
        labels: Labels,
        first_reader: int,
        is_seen: BoolArray,
    ) -> FloatArray:
        """Return the windows as `values` does, of an entity whose past is prepared.

        Args:
            prepared: past events, which arrived before the others.
            frauds: those of them that are known as frauds, by the windows' `by`.
            past_codes: code that they have for each code of `columns`, -1 where none, of each text.
            columns, time_us, labels, first_reader, is_seen: as in `values`; all events are of the
                entity.
        """
        keys = {by: joint_codes([_codes(columns[name]).codes for name in by]) for by in self._by}
        events = self._events(columns, keys, time_us, labels, is_seen)
        counted = {
            value: past_codes[field]
            for value, field in self._counted.items()
            if field in past_codes
        }
        readers_past = {}
        for by in self._by:
            codes = self._past_keys(by, columns)[first_reader:]
            own = translated(codes, past_codes[by[-1]]) if len(by) > 1 else codes
            readers_past[by] = ReadersPast(own, counted, frauds[by])
        return self._plan.values_after(prepared, readers_past, events, first_reader)

    @staticmethod
    def _past_keys(by: tuple[str, ...], columns: WindowColumns) -> IntArray:
        """Return the keys of events of one entity, which is the first field of `by`."""
        codes = _codes(columns[by[-1]]).codes
        return codes if len(by) > 1 else np.zeros_like(codes)

    def _events(
        self,
        columns: WindowColumns,
        keys: Mapping[tuple[str, ...], IntArray],
        time_us: IntArray,
        labels: Labels | None,
        is_seen: BoolArray | None,
    ) -> Events:
        # The columns of expressions are all there with their texts.
        known: Columns = {
            name: column for name, column in columns.items() if not isinstance(column, Codes)
        }
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
        return Events(time_us, keys, values, conditions, labels, is_seen)


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

"""Compiler: from the text of an expression to a function of columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from scoring.columns import Columns, FloatArray
from scoring.errors import InvalidExpression
from scoring.expressions.canonical import canonical_text
from scoring.expressions.checking.checker import Checker
from scoring.expressions.checking.source import MAX_LENGTH, TOO_DEEP, Source
from scoring.expressions.execution.program import Program
from scoring.expressions.execution.translation import translate
from scoring.expressions.nodes import FieldValue, Node, Text, ValueKind, Window, children
from scoring.expressions.schema import NO_CATEGORIES, Categories, Kinds, Schema
from scoring.windows.definition import WindowDefinition

MAX_WINDOWS = 100
"""Distinct windows of an expression, and of a feature set."""


@dataclass(frozen=True, slots=True)
class CompiledExpression:
    """An expression that fits its event type.

    Attributes:
        source: canonical text, which compiles to the same expression.
        kind: `number` or `boolean`.
        fields: names of the fields that it uses, also in its windows, in alphabetical order.
        windows: its windows, each once, in the order in which `evaluate` takes their values.
        root: its checked form.
        program: its operations.
    """

    source: str
    kind: ValueKind
    fields: tuple[str, ...]
    windows: tuple[WindowDefinition, ...]
    root: Node
    program: Program = field(repr=False, compare=False)

    def evaluate(self, columns: Columns, window_values: Sequence[FloatArray] = ()) -> FloatArray:
        """Return the expression's value for n events.

        Args:
            columns: columns of n events, at least those of `fields`.
            window_values: values of each window, float64 (n,), in the order of `windows`.

        Returns:
            float64 (n,), each finite or NaN (missing); a boolean is 1.0, 0.0 or NaN.
        """
        return self.program.matrix(columns, window_values)[:, 0]


def compile_expression(
    source: str,
    kinds: Kinds,
    *,
    categories: Categories = NO_CATEGORIES,
    is_stateless: bool = False,
) -> CompiledExpression:
    """Compile an expression.

    Args:
        source: text in the language that the package documents.
        kinds: event type, or kind by field name, which it is checked against. Columns must keep
            what an event type promises, so compile again for another version of it.
        categories: learned values of open categories, which `code` needs.
        is_stateless: whether windows are refused, as in a window's own filter.

    Raises:
        InvalidExpression: the text is not in the language or does not fit the event type; the
            error points at the part.
    """
    schema = Schema.of(kinds, categories)
    checked = check_expression(source, schema, is_stateless=is_stateless)
    try:
        program, windows = translate([checked.root], schema)
    except RecursionError:
        raise _error(Source.of(source), TOO_DEEP) from None
    return CompiledExpression(
        source=checked.source,
        kind=checked.root.kind,
        fields=checked.fields,
        windows=windows,
        root=checked.root,
        program=program,
    )


@dataclass(frozen=True, slots=True)
class CheckedExpression:
    """An expression that fits its event type, before it is compiled.

    Attributes:
        source: canonical text.
        root: checked form.
        fields: names of the fields that it uses, in alphabetical order.
    """

    source: str
    root: Node
    fields: tuple[str, ...]


def check_expression(
    source: str, schema: Schema, *, is_stateless: bool = False
) -> CheckedExpression:
    """Return the checked form of an expression.

    Raises:
        InvalidExpression: as of `compile_expression`.
    """
    text = Source.of(source)
    no_windows = "This expression may not use windows." if is_stateless else None
    try:
        return _check(text, schema, no_windows)
    except RecursionError:
        # The caller's own stack leaves too little of Python's limit.
        raise _error(text, TOO_DEEP) from None


def _check(text: Source, schema: Schema, no_windows: str | None) -> CheckedExpression:
    root = Checker(text, schema, no_windows).any_value(text.parse())
    if isinstance(root, Text) or root.kind not in ("number", "boolean"):
        hint = {
            "timestamp": "write hour(x) or weekday(x), or subtract another timestamp",
            "text": "write code(x) for a category's code, or compare it with a text",
        }[root.kind]
        raise _error(text, f"The expression is a {root.kind}, not a number or a condition; {hint}.")
    nodes = _all_nodes(root)
    windows = {node.definition for node in nodes if isinstance(node, Window)}
    if len(windows) > MAX_WINDOWS:
        message = f"The expression has {len(windows)} windows; it may have {MAX_WINDOWS}."
        raise _error(text, message)
    canonical = canonical_text(root)
    if len(canonical) > MAX_LENGTH:
        message = (
            f"The expression has {len(canonical):,} characters in its canonical form; "
            f"it may have {MAX_LENGTH:,}."
        )
        raise _error(text, message)
    fields = {node.name for node in nodes if isinstance(node, FieldValue)}
    fields.update(name for window in windows for name in window.by)
    return CheckedExpression(canonical, root, tuple(sorted(fields)))


def _error(text: Source, message: str) -> InvalidExpression:
    return InvalidExpression(
        message,
        source=text.text,
        column=text.indent + 1,
        end_column=max(text.indent + 1, len(text.text.rstrip(" "))),
    )


def _all_nodes(root: Node) -> list[Node]:
    found: list[Node] = []
    waiting = [root]
    while waiting:
        node = waiting.pop()
        found.append(node)
        waiting.extend(children(node))
    return found

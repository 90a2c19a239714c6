"""Parts: what the checks of functions need of the checker of whole expressions."""

from __future__ import annotations

import ast
from typing import Protocol

from scoring.errors import InvalidExpression
from scoring.expressions.checking.source import Source
from scoring.expressions.nodes import FieldValue, Node
from scoring.expressions.schema import Schema


class Parts(Protocol):
    """Checks parts of one expression; each method raises InvalidExpression."""

    source: Source
    schema: Schema
    no_windows: str | None

    def error(self, node: ast.AST, message: str) -> InvalidExpression:
        """Return the error of one part of the expression."""
        ...

    def value(self, node: ast.expr) -> Node:
        """Return a part that has a value of any kind but a text in quotes."""
        ...

    def number(self, node: ast.expr) -> Node:
        """Return a part that is a number; a boolean counts as 0 or 1."""
        ...

    def condition(self, node: ast.expr) -> Node:
        """Return a part that is true or false."""
        ...

    def text_field(self, node: ast.expr) -> FieldValue:
        """Return a part that is a category, entity or text field."""
        ...

    def text(self, node: ast.expr, what: str) -> str:
        """Return a text in quotes."""
        ...

    def field(self, node: ast.AST, name: str) -> FieldValue:
        """Return a field by its name."""
        ...

    def without_windows(self, reason: str) -> Parts:
        """Return a checker of the same expression that refuses windows for a reason."""
        ...

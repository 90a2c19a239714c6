"""Source: the text of an expression, read into Python's syntax tree, with positions for errors."""

from __future__ import annotations

import ast
import re
import unicodedata
import warnings
from dataclasses import dataclass

from scoring.errors import InvalidExpression

MAX_LENGTH = 4_000
"""Characters of an expression."""
MAX_DEPTH = 100
"""Levels of nesting; Python's own limit lies beyond it on any stack that serves a request."""
_LINE_BREAKS_AND_TABS = str.maketrans("\n\r\t\f", "    ")
_MAX_QUOTED = 60
_DURATIONS = re.compile(r"\b[0-9]+[smhd]\b")
_COMPARISONS = re.compile(r"[<>=!]+")
_MEANT = {"=": "`==`", "=>": "`>=`", "=<": "`<=`", "<>": "`!=`", "===": "`==`"}
"""How a comparison is written that other languages write so."""


@dataclass(frozen=True, slots=True)
class Source:
    """The text of one expression.

    Attributes:
        text: text on one line; a line break or tab is a space.
        indent: number of spaces before the expression.
    """

    text: str
    indent: int

    @classmethod
    def of(cls, text: str) -> Source:
        """Return the source of an expression.

        Raises:
            InvalidExpression: the text is empty, too long, or has characters without a meaning.
        """
        if len(text) > MAX_LENGTH:
            raise InvalidExpression(
                f"The expression has {len(text):,} characters; it may have {MAX_LENGTH:,}.",
                source=text[: MAX_LENGTH + 1],
                column=MAX_LENGTH + 1,
                end_column=MAX_LENGTH + 1,
            )
        line = text.translate(_LINE_BREAKS_AND_TABS)
        source = cls(line, len(line) - len(line.lstrip(" ")))
        for index, character in enumerate(line):
            if unicodedata.category(character) in ("Cc", "Cs"):
                message = f"The character U+{ord(character):04X} is not part of an expression."
                raise source._error(index + 1, index + 1, message)
        if source.indent == len(line):
            raise source._error(1, 1, "The expression is empty.")
        return source

    def parse(self) -> ast.expr:
        """Return the root of the syntax tree, which is at most MAX_DEPTH deep.

        Raises:
            InvalidExpression: the text is not an expression, or it is nested too deeply.
        """
        try:
            with warnings.catch_warnings():
                # Python warns of an unknown escape such as `\d`, which stays as it is written.
                warnings.simplefilter("ignore")
                root = ast.parse(self.text[self.indent :], mode="eval").body
        except SyntaxError as error:
            raise self._unreadable(error) from None
        except (ValueError, OverflowError):
            message = "The expression cannot be read."
            raise self._error(1, len(self.text), message) from None
        except (RecursionError, MemoryError):
            raise self._error(1, len(self.text), TOO_DEEP) from None
        self._refuse_depth(root)
        self._refuse_comments(root)
        return root

    def error(self, node: ast.AST, message: str) -> InvalidExpression:
        """Return the error of one part of the expression."""
        column, end_column = self._columns(node)
        return self._error(column, end_column, message)

    def quote(self, node: ast.AST) -> str:
        """Return the text of a part in backquotes, shortened if it is long."""
        column, end_column = self._columns(node)
        return quote(self.text[column - 1 : end_column])

    def _unreadable(self, error: SyntaxError) -> InvalidExpression:
        end = len(self.text.rstrip(" "))
        column = (error.offset or 0) + self.indent
        for found in _DURATIONS.finditer(self.text):
            if found.start() < column <= found.end():
                message = f"A duration is a text: write '{found[0]}'."
                return self._error(found.start() + 1, found.end(), message)
        for found in _COMPARISONS.finditer(self.text):
            meant = _MEANT.get(found[0])
            if meant and found.start() < column <= found.end():
                message = f"The expression cannot be read: a comparison is written {meant}."
                return self._error(found.start() + 1, found.end(), message)
        if not self.indent < column <= end or (error.lineno or 1) > 1:
            return self._error(end, end, f"The expression cannot be read to its end: {error.msg}.")
        return self._error(column, column, f"The expression cannot be read: {error.msg}.")

    def _columns(self, node: ast.AST) -> tuple[int, int]:
        # The tree counts UTF-8 bytes.
        data = self.text[self.indent :].encode()
        start: int = getattr(node, "col_offset", 0)
        end: int = getattr(node, "end_col_offset", None) or len(data)
        column = self.indent + len(data[:start].decode()) + 1
        return column, max(column, self.indent + len(data[:end].decode()))

    def _error(self, column: int, end_column: int, message: str) -> InvalidExpression:
        return InvalidExpression(
            message, source=self.text, column=column, end_column=max(column, end_column)
        )

    def _refuse_depth(self, root: ast.expr) -> None:
        level: list[ast.AST] = [root]
        for _ in range(MAX_DEPTH):
            level = [
                child
                for node in level
                for child in ast.iter_child_nodes(node)
                if isinstance(child, ast.expr | ast.keyword)
            ]
            if not level:
                return
        raise self.error(level[0], TOO_DEEP)

    def _refuse_comments(self, root: ast.expr) -> None:
        # A comment would hide what follows it, because a line break is a space.
        if "#" not in self.text:
            return
        texts = [
            self._columns(node)
            for node in ast.walk(root)
            if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
        ]
        for index, character in enumerate(self.text, start=1):
            if character == "#" and not any(start <= index <= end for start, end in texts):
                message = "An expression has no comments; `#` is for texts in quotes."
                raise self._error(index, len(self.text), message)


TOO_DEEP = f"The expression is nested more than {MAX_DEPTH} levels deep; split it into several."


def quote(text: str) -> str:
    """Return a text in backquotes, shortened if it is long."""
    return f"`{text if len(text) <= _MAX_QUOTED else text[: _MAX_QUOTED - 1] + '…'}`"

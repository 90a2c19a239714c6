"""What the language leaves out of Python's expressions, and what to write in its place."""

from __future__ import annotations

import ast

REFUSED_SYNTAX: dict[type[ast.expr], str] = {
    ast.Attribute: "The language has no attributes; write a field's name alone.",
    ast.Await: "The language has no `await`.",
    ast.Dict: "The language has no dictionaries.",
    ast.DictComp: "The language has no comprehensions.",
    ast.FormattedValue: "The language has no f-strings.",
    ast.GeneratorExp: "The language has no comprehensions.",
    ast.IfExp: "The language has no `if … else`; write where(condition, a, b).",
    ast.JoinedStr: "The language has no f-strings.",
    ast.Lambda: "The language has no `lambda`.",
    ast.List: "A list stands only after `in` or `by=`.",
    ast.ListComp: "The language has no comprehensions.",
    ast.NamedExpr: "The language has no assignments (`:=`).",
    ast.Set: "The language has no sets; write a list in square brackets.",
    ast.SetComp: "The language has no comprehensions.",
    ast.Slice: "The language has no square brackets after a value.",
    ast.Starred: "The language has no `*` before a value.",
    ast.Subscript: "The language has no square brackets after a value.",
    ast.Tuple: "The language has no tuples; a comma stands only between arguments, in no number.",
    ast.Yield: "The language has no `yield`.",
    ast.YieldFrom: "The language has no `yield`.",
}
REFUSED_OPERATORS: dict[type[ast.AST], str] = {
    ast.FloorDiv: "The language has no `//`; write `a / b`, or `a - a % b`.",
    ast.MatMult: "The language has no `@`.",
    ast.BitAnd: "The language has no `&`; write `and`.",
    ast.BitOr: "The language has no `|`; write `or`.",
    ast.BitXor: "The language has no `^`; write `**` for a power, `!=` for either of two.",
    ast.LShift: "The language has no `<<`.",
    ast.RShift: "The language has no `>>`.",
    ast.Invert: "The language has no `~`; write `not`.",
    ast.UAdd: "The language has no `+` before a number; leave it out.",
    ast.Is: "The language has no `is`; write `==`, or is_missing(x) for a missing value.",
    ast.IsNot: "The language has no `is not`; write `!=`, or not is_missing(x).",
}

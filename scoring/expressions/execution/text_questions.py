"""Text questions: the conditions that are answered by a table of a text field's values."""

from __future__ import annotations

from collections.abc import Hashable

from scoring.expressions.execution.text_tables import MembershipTable, PrefixTable, TextTable
from scoring.expressions.nodes import Comparison, FieldValue, Membership, Node, StartsWith, Text


def text_question(node: Node) -> tuple[str, Hashable, TextTable] | None:
    """Return the field, the question and its table if a condition is one on a text field."""
    match node:
        case StartsWith(FieldValue(name), prefix):
            return name, ("prefix", prefix), PrefixTable(prefix)
        case Membership(FieldValue(name), (Text(), *_) as items, is_negated):
            texts = frozenset(item.value for item in items if isinstance(item, Text))
        case Comparison((FieldValue(name), Text(text)) | (Text(text), FieldValue(name)), (op,)):
            texts, is_negated = frozenset([text]), op == "!="
        case _:
            return None
    return name, ("member", texts, is_negated), MembershipTable(texts, is_negated)

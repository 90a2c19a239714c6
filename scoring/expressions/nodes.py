"""The nodes of a checked expression: immutable, comparable, and of a known kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from scoring.event_type.fields import Kind
from scoring.windows.definition import WindowDefinition

ValueKind = Literal["number", "boolean", "text", "timestamp"]
"""Kind of an expression's value. A boolean is also taken where a number is needed."""
ArithmeticOperator = Literal["+", "-", "*", "/", "%", "**"]
ComparisonOperator = Literal["<", "<=", ">", ">=", "==", "!="]
LogicOperator = Literal["and", "or"]
Function = Literal[
    "abs", "log", "sqrt", "min", "max", "where", "is_missing", "hour", "weekday", "code"
]

VALUE_KINDS: dict[Kind, ValueKind] = {
    "number": "number",
    "integer": "number",
    "boolean": "boolean",
    "timestamp": "timestamp",
    "category": "text",
    "entity": "text",
    "text": "text",
}


@dataclass(frozen=True, slots=True)
class Number:
    """A number that is written out; finite, not negative."""

    value: float
    kind: ClassVar[ValueKind] = "number"


@dataclass(frozen=True, slots=True)
class Boolean:
    """True or False."""

    value: bool
    kind: ClassVar[ValueKind] = "boolean"


@dataclass(frozen=True, slots=True)
class Text:
    """A text in quotes; it occurs only beside a field that it is compared with."""

    value: str
    kind: ClassVar[ValueKind] = "text"


@dataclass(frozen=True, slots=True)
class FieldValue:
    """The event's own value of a field."""

    name: str
    field_kind: Kind

    @property
    def kind(self) -> ValueKind:
        """Kind of the field's values in expressions."""
        return VALUE_KINDS[self.field_kind]


@dataclass(frozen=True, slots=True)
class Negative:
    """The number with the other sign."""

    operand: Node
    kind: ClassVar[ValueKind] = "number"


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Two numbers, or two timestamps and `-`."""

    operator: ArithmeticOperator
    left: Node
    right: Node
    kind: ClassVar[ValueKind] = "number"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A chain of k + 1 operands and k operators."""

    operands: tuple[Node, ...]
    operators: tuple[ComparisonOperator, ...]
    kind: ClassVar[ValueKind] = "boolean"


@dataclass(frozen=True, slots=True)
class Membership:
    """Whether a number is among written numbers, or a text field's value among texts."""

    operand: Node
    items: tuple[Node, ...]
    is_negated: bool
    kind: ClassVar[ValueKind] = "boolean"


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a condition."""

    operand: Node
    kind: ClassVar[ValueKind] = "boolean"


@dataclass(frozen=True, slots=True)
class Logic:
    """Two or more conditions."""

    operator: LogicOperator
    operands: tuple[Node, ...]
    kind: ClassVar[ValueKind] = "boolean"


@dataclass(frozen=True, slots=True)
class StartsWith:
    """Whether a text field's value starts with a prefix."""

    operand: FieldValue
    prefix: str
    kind: ClassVar[ValueKind] = "boolean"


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the event's own values."""

    function: Function
    arguments: tuple[Node, ...]
    kind: ValueKind


@dataclass(frozen=True, slots=True)
class Window:
    """The value of a window.

    Attributes:
        definition: what it aggregates.
        value: aggregated expression or counted field, or None.
        where: filter, or None.
    """

    definition: WindowDefinition
    value: Node | None
    where: Node | None
    kind: ClassVar[ValueKind] = "number"


@dataclass(frozen=True, slots=True)
class Score:
    """The model's calibrated score of the payment; only a rule's condition has it."""

    kind: ClassVar[ValueKind] = "number"


@dataclass(frozen=True, slots=True)
class FeatureValue:
    """The value of a feature of the model version; only a rule's condition has it."""

    name: str
    kind: ValueKind


@dataclass(frozen=True, slots=True)
class InList:
    """Whether an entity is in a list when the payment is decided; only a rule's condition has it.

    Attributes:
        list_name: name of the list.
        operand: entity field.
    """

    list_name: str
    operand: FieldValue
    kind: ClassVar[ValueKind] = "boolean"


Answer = Score | FeatureValue | InList
"""A value that is known once the payment is scored."""

Node = (
    Number
    | Boolean
    | Text
    | FieldValue
    | Negative
    | Arithmetic
    | Comparison
    | Membership
    | Not
    | Logic
    | StartsWith
    | Call
    | Window
    | Score
    | FeatureValue
    | InList
)


def children(node: Node) -> tuple[Node, ...]:
    """Return the nodes directly below a node; a window's own expressions are below it too."""
    match node:
        case Negative(operand) | Not(operand) | StartsWith(operand) | InList(_, operand):
            return (operand,)
        case Arithmetic(_, left, right):
            return (left, right)
        case Comparison(operands) | Logic(_, operands):
            return operands
        case Membership(operand, items):
            return (operand, *items)
        case Call(_, arguments):
            return arguments
        case Window(_, value, where):
            return tuple(part for part in (value, where) if part is not None)
        case _:
            return ()

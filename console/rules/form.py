"""The form of a rule: what was typed, what is wrong with it, and the request that it stands for."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from api.rules.schemas import RuleChangeIn, RuleIn
from scoring.errors import FieldError, InvalidExpression, InvalidRequest, invalid_request
from scoring.lists.entry_rows import reason_fault
from scoring.rules.rule import DEFAULT_PRIORITY, Rule
from web.problems import invalid_body


class RuleForm(BaseModel):
    """What the form sends, as text.

    Attributes:
        name: name.
        condition: condition.
        action: outcome that the rule gives.
        priority: place among the rules with the same action.
        state: state in which it is saved; empty where it is only tried.
        version: version that the form was made from; 0 for a new rule.
        reason: sentence on why it changes.
        days: span of decisions on which it is tried, key of `SPANS`.
        tried: `digest` of the content whose figures the page shows; empty: none.
    """

    name: str = ""
    condition: str = ""
    action: str = "review"
    priority: str = str(DEFAULT_PRIORITY)
    state: str = ""
    version: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    reason: str = ""
    days: str = ""
    tried: str = ""

    @classmethod
    def of(cls, rule: Rule) -> RuleForm:
        """Return the form that shows a rule as it is."""
        return cls(
            name=rule.name,
            condition=rule.condition,
            action=rule.action,
            priority=str(rule.priority),
            state=rule.state,
            version=rule.version,
        )

    @property
    def digest(self) -> str:
        """Digest of what decides payments: the condition and the action."""
        content = f"{self.action}\n{self.one_line}".encode()
        return hashlib.blake2b(content, digest_size=8).hexdigest()

    @property
    def one_line(self) -> str:
        """The condition on one line, as it is checked: positions in it are those of errors."""
        return " ".join(self.condition.split("\r\n")).replace("\n", " ").strip()

    def content(self) -> RuleIn:
        """Return the rule, checked but for its condition.

        Raises:
            InvalidRequest: names each field that is not valid.
        """
        number = self.priority.strip()
        try:
            return RuleIn.model_validate(
                {
                    "name": self.name.strip(),
                    "condition": self.one_line,
                    "action": self.action,
                    "state": self.state or "shadow",
                    "priority": int(number) if number.isascii() and number.isdigit() else number,
                }
            )
        except ValidationError as error:
            raise invalid_body(error) from error

    def change(self) -> RuleChangeIn:
        """Return the rule as a change of the version that the form was made from.

        Raises:
            InvalidRequest: names each field that is not valid.
        """
        content = self.content()
        try:
            return RuleChangeIn.model_validate(
                content.model_dump() | {"version": max(1, self.version)}
            )
        except ValidationError as error:
            raise invalid_body(error) from error


@dataclass(frozen=True, slots=True)
class Problems:
    """What is wrong with a form.

    Attributes:
        fields: sentence by field.
        pointed: the condition with carets under the offending part, and the sentence below; None
            where the condition is valid.
        start, end: positions of the offending part in the condition, from 0.
    """

    fields: dict[str, str] = field(default_factory=dict)
    pointed: str | None = None
    start: int = 0
    end: int = 0

    def on(self, name: str) -> str:
        """Return what is wrong with a field; empty where nothing is."""
        return self.fields.get(name, "")

    @classmethod
    def of(cls, error: InvalidRequest) -> Problems:
        """Return the problems of a request that was refused."""
        fields = {one.field.rpartition(".")[2]: one.message for one in error.errors}
        cause = error.__cause__
        if not isinstance(cause, InvalidExpression):
            return cls(fields or {"": error.detail})
        return cls(fields, cause.pointed(), cause.column - 1, cause.end_column)


def reason_given(text: str) -> str | None:
    """Return a reason as it is stored; None where the field was left empty.

    Raises:
        InvalidRequest: it is too long, or has control characters.
    """
    reason = text.strip()
    if not reason:
        return None
    if (fault := reason_fault(reason)) is not None:
        raise invalid_request([FieldError("reason", fault)])
    return reason

"""The filters of the queue in its address, and the addresses of other views of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from api.pagination import MAX_CURSOR_LENGTH
from persistence.review.queue_filter import Order, QueueFilter
from scoring.policy import Outcome, RiskBand
from scoring.transaction import MAX_AMOUNT
from web.invalid_fields import invalid_fields

PATH = "/console/queue"
_MAX_ENTITY = 256


def _given(value: Any) -> Any:  # noqa: ANN401 - as it was sent
    """Return None for a field of the form that was left empty."""
    return None if isinstance(value, str) and not value.strip() else value


_OR_EMPTY = BeforeValidator(_given)
_Amount = Annotated[
    Annotated[float, Field(ge=0, le=MAX_AMOUNT, allow_inf_nan=False)] | None, _OR_EMPTY
]
_Number = Annotated[int, Field(ge=1, le=2**31 - 1)]


class QueueQuery(BaseModel):
    """What the address of the queue says; parameters that nobody knows are left alone.

    Attributes:
        order: highest risk or oldest first.
        outcome: outcome of the decisions.
        band: risk band; None: all.
        entity: an entity of the payment; None: any.
        amount_min: least amount.
        amount_max: largest amount.
        rule: id of a rule that fired.
        assignee: `me`, `nobody`, or the account of a person; None: all.
        cursor: end of the page before.
    """

    model_config = ConfigDict(frozen=True, str_strip_whitespace=True)

    order: Order = "risk"
    outcome: Outcome = "review"
    band: Annotated[RiskBand | None, _OR_EMPTY] = None
    entity: Annotated[
        Annotated[str, Field(max_length=_MAX_ENTITY, pattern=r"^[^\x00-\x1f\x7f]+$")] | None,
        _OR_EMPTY,
    ] = None
    amount_min: _Amount = None
    amount_max: _Amount = None
    rule: Annotated[_Number | None, _OR_EMPTY] = None
    assignee: Annotated[Literal["me", "nobody"] | _Number | None, _OR_EMPTY] = None
    cursor: Annotated[Annotated[str, Field(max_length=MAX_CURSOR_LENGTH)] | None, _OR_EMPTY] = None

    def wanted(self, user_id: int) -> QueueFilter:
        """Return the filters in the terms of persistence.

        Args:
            user_id: account of the person who looks.

        Raises:
            InvalidRequest: the amounts are the wrong way round.
        """
        low, high = self.amount_min, self.amount_max
        if low is not None and high is not None and low > high:
            raise invalid_fields([(("amount_max",), "must not be less than amount_min")])
        of_person = self.assignee if isinstance(self.assignee, int) else None
        return QueueFilter(
            outcome=self.outcome,
            amount_min=low,
            amount_max=high,
            entity=self.entity,
            rule_id=self.rule,
            assignee_id=user_id if self.assignee == "me" else of_person,
            is_unassigned=self.assignee == "nobody",
        )

    @property
    def more_filters(self) -> int:
        """Number of filters in use that the form does not show at once."""
        hidden = (self.amount_min, self.amount_max, self.rule, self.assignee)
        return sum(value is not None for value in hidden)

    @property
    def is_filtered(self) -> bool:
        """Whether a filter is in use beside the outcome."""
        return bool(self.more_filters or self.band or self.entity)

    def parameters(self) -> Mapping[str, Any]:
        """Return the parameters of the address that are not as they are without any."""
        return self.model_dump(exclude_defaults=True)

    def address(self, path: str = PATH, **changes: object) -> str:
        """Return the address of a view that differs from this one; it begins at its first page.

        Args:
            path: path of the page.
            changes: parameters with other values; None leaves one out.
        """
        changed = {**self.parameters(), "cursor": None, **changes}
        given = {name: value for name, value in changed.items() if value is not None}
        return f"{path}?{urlencode(given)}" if given else path

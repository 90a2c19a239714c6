"""The fields of the forms that give verdicts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from pydantic import Field

from api.review.schemas import MAX_RATIONALE_LENGTH, RATIONALE_PATTERN
from persistence.review.cases import Label
from persistence.review.verdicts import GivenVerdict
from web.invalid_fields import invalid_fields

MAX_ITEMS = 200
Items = Annotated[list[str], Field(min_length=1, max_length=MAX_ITEMS)]
"""Transactions that were chosen, each as `Item.parse` reads it."""

_ID_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Item:
    """A transaction that was chosen on a page.

    Attributes:
        transaction_id: transaction.
        seen: id of the latest feedback that the page showed; None: it showed none.
    """

    transaction_id: UUID
    seen: int | None

    @classmethod
    def parse(cls, text: str) -> Item:
        """Return the item of a text such as `01a2…c6.17`; nothing follows the dot without feedback.

        Raises:
            InvalidRequest: it is none; names `item`.
        """
        transaction_id, _, seen = text.partition(".")
        try:
            return cls(UUID(transaction_id), seen_id(seen))
        except ValueError as error:
            raise invalid_fields([(("item",), "must be the id of a transaction")]) from error


def seen_id(text: str) -> int | None:
    """Return the id of the feedback that a page showed; None where it showed none.

    Raises:
        InvalidRequest: it is no id; names `seen`.
    """
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _ID_DIGITS):
        raise invalid_fields([(("seen",), "must be the id of the feedback that the page showed")])
    return int(text)


def rationale_or(text: str, otherwise: str) -> str:
    """Return a reason as it is stored.

    Args:
        text: reason as it was typed; may be empty.
        otherwise: sentence that stands for an empty one.

    Raises:
        InvalidRequest: it is too long or has control characters; names `rationale`.
    """
    reason = text.replace("\r\n", "\n").strip()
    if not reason:
        return otherwise
    if len(reason) > MAX_RATIONALE_LENGTH:
        message = f"must have at most {MAX_RATIONALE_LENGTH} characters"
        raise invalid_fields([(("rationale",), message)])
    if not re.fullmatch(RATIONALE_PATTERN, reason):
        raise invalid_fields([(("rationale",), "must be text without control characters")])
    return reason


def given(items: list[Item], label: Label, rationale: str) -> list[GivenVerdict]:
    """Return the same verdict on several transactions, one each."""
    once = {item.transaction_id: item for item in items}.values()
    return [GivenVerdict(item.transaction_id, label, rationale, item.seen) for item in once]

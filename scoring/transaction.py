"""The transaction: the validated input of all scoring, and its field names on the wire."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

from scoring.errors import FieldError, InvalidRequest
from scoring.event_type.fields import EventType, Field
from scoring.external_id import EXTERNAL_ID_RULE, is_external_id

# In the order of PaySim's fraud rates, so that one numeric split separates the risky types (fraud
# occurs in the last two only) and no categorical split is needed.
TRANSACTION_TYPES = ("PAYMENT", "CASH_IN", "DEBIT", "CASH_OUT", "TRANSFER")
TYPE_CODES = {name: code for code, name in enumerate(TRANSACTION_TYPES)}

WIRE_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "step": "step",
        "type": "type",
        "amount": "amount",
        "name_orig": "nameOrig",
        "oldbalance_org": "oldbalanceOrg",
        "name_dest": "nameDest",
        "oldbalance_dest": "oldbalanceDest",
    }
)
"""PaySim's name in requests, replies, files and model signatures, by attribute of Transaction.

Its order is that of a signature's columns and of the digest of an idempotent request."""

MAX_STEP = 1_000_000
"""Hours since the tenant's epoch; 114 years."""
MAX_AMOUNT = 1e12
MAX_BALANCE = 1e15
MAX_ACCOUNT_LENGTH = 64

ACCOUNT_PATTERN = rf"^[\x21-\x7e]{{1,{MAX_ACCOUNT_LENGTH}}}$"

PAYSIM = EventType(
    name="paysim",
    label="isFraud",
    fields=(
        # Hours since the tenant's epoch: no calendar is known, so there is no timestamp.
        Field("step", "integer", minimum=0.0, maximum=float(MAX_STEP)),
        Field("type", "category", values=TRANSACTION_TYPES),
        Field("amount", "number", role="amount", minimum=0.0, maximum=MAX_AMOUNT),
        Field("nameOrig", "entity", role="payer", entity="account"),
        Field("oldbalanceOrg", "number", minimum=-MAX_BALANCE, maximum=MAX_BALANCE),
        Field("nameDest", "entity", role="payee", entity="account"),
        Field("oldbalanceDest", "number", minimum=-MAX_BALANCE, maximum=MAX_BALANCE),
        # Not known before the decision.
        Field("newbalanceOrig", "number", ignored=True),
        Field("newbalanceDest", "number", ignored=True),
    ),
)
"""The built-in event type. Transaction accepts fewer account names: ASCII without spaces, up to 64
characters, and no integers."""


_ACCOUNT = re.compile(ACCOUNT_PATTERN.replace("$", r"\Z"))


@dataclass(frozen=True, slots=True)
class Transaction:
    """One payment before it is decided, in the PaySim schema.

    Attributes:
        step: hour since the tenant's epoch, 0 to MAX_STEP.
        type: one of TRANSACTION_TYPES.
        amount: money moved, 0 to MAX_AMOUNT.
        name_orig: account that pays; printable ASCII without spaces.
        oldbalance_org: balance of the paying account before the payment, within ±MAX_BALANCE (an
            overdraft is negative).
        name_dest: account that receives; names of merchants begin with `M`.
        oldbalance_dest: balance of the receiving account before, within ±MAX_BALANCE.
        external_id: caller's own id, which is the idempotency key, or None.

    Raises:
        InvalidRequest: an attribute is outside its range; `errors` has every such attribute.
    """

    step: int
    type: str
    amount: float
    name_orig: str
    oldbalance_org: float
    name_dest: str
    oldbalance_dest: float
    external_id: str | None = None

    event_type: ClassVar[EventType] = PAYSIM
    type_id: ClassVar[int | None] = None
    time_us: ClassVar[int | None] = None

    @property
    def payer(self) -> str:
        """Account that pays."""
        return self.name_orig

    @property
    def payee(self) -> str:
        """Account that receives."""
        return self.name_dest

    def document(self) -> dict[str, Any]:
        """Return the values under their wire names, without `external_id`."""
        return {wire: getattr(self, name) for name, wire in WIRE_NAMES.items()}

    @property
    def display_time(self) -> str:
        """The hour of `step` as people know it."""
        return hour_as_text(self.step)

    def __post_init__(self) -> None:
        # `abs(nan) <= x` is false: one comparison rejects NaN, infinity and out-of-range values.
        if (
            0 <= self.step <= MAX_STEP
            and self.type in TYPE_CODES
            and 0 <= self.amount <= MAX_AMOUNT
            and abs(self.oldbalance_org) <= MAX_BALANCE
            and abs(self.oldbalance_dest) <= MAX_BALANCE
            and _ACCOUNT.match(self.name_orig)
            and _ACCOUNT.match(self.name_dest)
            and (self.external_id is None or is_external_id(self.external_id))
        ):
            return
        raise InvalidRequest("The transaction is not valid.", errors=tuple(self._field_errors()))

    def _field_errors(self) -> list[FieldError]:
        account = f"must be 1 to {MAX_ACCOUNT_LENGTH} printable ASCII characters without spaces"
        checks = {
            "step": (0 <= self.step <= MAX_STEP, f"must be a whole number from 0 to {MAX_STEP}"),
            "type": (self.type in TYPE_CODES, f"must be one of {', '.join(TRANSACTION_TYPES)}"),
            "amount": (
                math.isfinite(self.amount) and 0 <= self.amount <= MAX_AMOUNT,
                f"must be a finite number from 0 to {MAX_AMOUNT:.0f}",
            ),
            "oldbalance_org": (abs(self.oldbalance_org) <= MAX_BALANCE, _BALANCE_MESSAGE),
            "oldbalance_dest": (abs(self.oldbalance_dest) <= MAX_BALANCE, _BALANCE_MESSAGE),
            "name_orig": (bool(_ACCOUNT.match(self.name_orig)), account),
            "name_dest": (bool(_ACCOUNT.match(self.name_dest)), account),
            "external_id": (
                self.external_id is None or is_external_id(self.external_id),
                f"must be {EXTERNAL_ID_RULE}",
            ),
        }
        return [
            FieldError(WIRE_NAMES.get(name, name), message)
            for name, (is_valid, message) in checks.items()
            if not is_valid
        ]


def from_wire(fields: Mapping[str, Any]) -> Transaction:
    """Make a transaction from fields under their wire names.

    Args:
        fields: value by wire name; names other than WIRE_NAMES and `external_id` are ignored.

    Raises:
        KeyError: a field is missing.
        InvalidRequest: a value is outside its range.
    """
    return Transaction(
        **{name: fields[wire] for name, wire in WIRE_NAMES.items()},
        external_id=fields.get("external_id"),
    )


def hour_as_text(step: int) -> str:
    """Return the day and hour of a step as people know them: step 37 is `day 1, 13:00`.

    Both count from 0 at the tenant's epoch; no calendar is known.
    """
    return f"day {step // 24}, {step % 24:02d}:00"


_BALANCE_MESSAGE = f"must be a finite number within ±{MAX_BALANCE:.0f}"

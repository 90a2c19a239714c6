"""What the name of a column suggests about its values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_]+")

_ENTITIES = {
    "account": "account", "acct": "account", "iban": "account",
    "card": "card", "pan": "card",
    "customer": "customer", "client": "customer", "cust": "customer",
    "device": "device", "imei": "device",
    "email": "email",
    "ip": "ip",
    "merchant": "merchant", "seller": "merchant", "shop": "merchant", "store": "merchant",
    "phone": "phone", "msisdn": "phone",
    "terminal": "terminal", "pos": "terminal",
    "user": "user", "member": "user",
}  # fmt: skip
_ACCOUNT_SIDES = {
    "orig": "payer", "sender": "payer", "payer": "payer", "debtor": "payer", "originator": "payer",
    "dest": "payee", "receiver": "payee", "recipient": "payee", "payee": "payee",
    "creditor": "payee", "beneficiary": "payee",
}  # fmt: skip
_ROLES = {
    "account": "payer", "card": "payer", "customer": "payer", "user": "payer",
    "merchant": "payee", "terminal": "payee",
}  # fmt: skip
_IDENTIFYING = {"id", "ids", "key", "no", "nr", "num", "number", "hash", "name", "ref", "uuid"}
_DESCRIBING = {
    *("age", "area", "amount", "balance", "category", "city", "class", "code", "count", "country"),
    *("currency", "day", "days", "flag", "has", "income", "is", "limit", "mcc", "month", "months"),
    *("quant", "rank", "risk", "score", "status", "time", "type", "value"),
}
_CODES = {"code", "codes", "mcc", "zip", "postcode", "class", "category"}
_ROW_IDS = {"id", "index", "idx", "key", "no", "nr", "number", "ref", "reference", "row", "uuid"}
_AMOUNTS = ("amount", "amt", "betrag", "montant", "importe", "value", "price", "total", "sum")
SURE_AMOUNTS = 5
"""Rank of an amount from which a name may also be that of something else."""
_TIMES = ("datetime", "timestamp", "time", "date", "ts", "epoch", "created", "at", "dt", "datum")
_LATER = {"fraud", "fraudulent", "chargeback", "dispute", "disputed", "label", "target", "isfraud"}


@dataclass(frozen=True, slots=True)
class EntityHint:
    """What a name says about the entity of a column.

    Attributes:
        entity: slug of what the column identifies.
        role: its role, or None.
        is_certain: whether the name says that the values are identifiers.
    """

    entity: str
    role: Literal["payer", "payee"] | None
    is_certain: bool


def words(name: str) -> list[str]:
    """Return the words of a name in lower case: `CUSTOMER_ID` and `customerId` have two."""
    return [word.lower() for word in _WORDS.findall(name)]


def entity_hint(name: str) -> EntityHint | None:
    """Return what a name such as `CUSTOMER_ID` or `nameDest` identifies, or None."""
    found: list[str] = []
    for word in words(name):
        # As in `customerid`.
        stem = word.removesuffix("id")
        found += [stem, "id"] if stem != word and stem in _ENTITIES else [word]
    if not _DESCRIBING.isdisjoint(found):
        return None
    is_certain = not _IDENTIFYING.isdisjoint(found)
    side = next((_ACCOUNT_SIDES[word] for word in found if word in _ACCOUNT_SIDES), None)
    entity = next((_ENTITIES[word] for word in found if word in _ENTITIES), None)
    if entity is None:
        if side is None or not set(found) <= {*_ACCOUNT_SIDES, *_IDENTIFYING}:
            return None
        entity = "account"
    role = side or _ROLES.get(entity)
    return EntityHint(entity, "payer" if role == "payer" else "payee" if role else None, is_certain)


def is_row_id(name: str) -> bool:
    """Return whether a name is that of a row's own id, such as `TRANSACTION_ID`."""
    return not _ROW_IDS.isdisjoint(words(name))


def is_code(name: str) -> bool:
    """Return whether a name says that its numbers are codes, such as `AREA_CODE`."""
    return not _CODES.isdisjoint(words(name))


def amount_rank(name: str) -> int | None:
    """Return how well a name fits an amount, 0 best; None where it does not."""
    return _rank(name, _AMOUNTS)


def time_rank(name: str) -> int | None:
    """Return how well a name fits a time, 0 best; None where it does not."""
    return _rank(name, _TIMES)


def is_known_later(name: str) -> bool:
    """Return whether a name says that its values are known only once the label is."""
    return not _LATER.isdisjoint(words(name))


def is_state_after(name: str) -> bool:
    """Return whether a name may be that of a state after the payment, such as `newbalanceOrig`."""
    first = next(iter(words(name)), "")
    return first in ("new", "after", "post") or first.startswith("newbalance")


def _rank(name: str, ranked: tuple[str, ...]) -> int | None:
    found = words(name)
    return next((rank for rank, word in enumerate(ranked) if word in found), None)

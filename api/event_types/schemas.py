"""Wire schemas of event types."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from web.schemas import Timestamp

EXAMPLE: JsonDict = {
    "name": "card_payment",
    "label": "TX_FRAUD",
    "fields": {
        "TX_DATETIME": {"kind": "timestamp", "role": "time"},
        "CUSTOMER_ID": {"kind": "entity", "entity": "customer", "role": "payer"},
        "TERMINAL_ID": {"kind": "entity", "entity": "terminal", "role": "payee"},
        "TX_AMOUNT": {"kind": "number", "role": "amount", "min": 0, "max": 1000000},
        "CHANNEL": {"kind": "category", "values": ["pos", "web", "atm"], "optional": True},
    },
}


class FieldDocument(BaseModel):
    """A field of an event; what has its default is left out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["number", "integer", "boolean", "category", "timestamp", "entity", "text"]
    role: Literal["time", "amount", "payer", "payee"] | None = Field(
        default=None, description="what the field is to every event type"
    )
    entity: str | None = Field(
        default=None, description="what an entity field identifies, such as `customer`"
    )
    min: float | None = Field(default=None, description="smallest number that is accepted")
    max: float | None = Field(default=None, description="largest number that is accepted")
    values: list[str] | None = Field(
        default=None,
        description="the values of a closed category, in the order of their codes; left out: any "
        "value is accepted",
    )
    optional: bool | None = Field(default=None, description="whether an event may lack the field")
    ignored: bool | None = Field(
        default=None, description="whether the field is accepted and dropped"
    )


class EventTypeIn(BaseModel):
    """An event type: the fields that the tenant sends."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"example": EXAMPLE})

    name: str = Field(description="2 to 40 of `a-z 0-9 _ -`, a letter first")
    label: str | None = Field(
        default=None, description="column of files that has the label; it is never sent"
    )
    fields: dict[str, FieldDocument] = Field(
        description="by name, in the order in which people read them"
    )


class EventTypeQuery(BaseModel):
    """How an event type takes effect."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    replace: bool = Field(
        default=False,
        description="true: put another event type in force, also one that earlier events do not "
        "fit; false: only a change with which every event stays valid",
    )


class ChangeOut(BaseModel):
    """A difference from the version before."""

    field: str | None = Field(description="null: the event type itself")
    what: str = Field(description="key that changed; `added` and `removed` for a whole field")
    is_compatible: bool
    sentence: str


class EventTypeReply(BaseModel):
    """The event type in force."""

    name: str
    version: int = Field(description="1, 2, 3 ...; 0 for PaySim's, which is built in")
    label: str | None
    fields: dict[str, FieldDocument]
    json_schema: dict[str, Any] = Field(description="JSON Schema (2020-12) of the body of /score")
    actor: str | None = Field(description="who put it in force; null for PaySim's")
    created_at: Timestamp | None
    changes: list[ChangeOut] = Field(description="from the version before; empty in a GET")

"""Check rules, snoozes and lists against what their tenant sends, before they are stored."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from persistence.rules.names import event_type_in_force, names_of_conditions
from scoring.errors import FieldError, InvalidExpression, InvalidRequest, invalid_request
from scoring.event_type.fields import EventType
from scoring.lists.entity_list import ListAction
from scoring.rules.condition import check_condition


def canonical_condition(
    connection: Connection, tenant_id: int, condition: str, prefix: str = ""
) -> str:
    """Return the condition of a rule in canonical form.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose rule it is.
        condition: condition as it was written.
        prefix: path of the rule in the request, for errors.

    Raises:
        InvalidRequest: it is not in the language, or does not fit the tenant's event type, the
            version in production or the lists; the message points at the part.
    """
    schema = names_of_conditions(connection, tenant_id)
    try:
        return check_condition(condition, schema).source
    except InvalidExpression as error:
        part = condition[error.column - 1 : error.end_column]
        place = f"at column {error.column}, `{part}`: {error.detail}"
        raise InvalidRequest(
            f"The condition is not valid {place}", errors=(FieldError(f"{prefix}condition", place),)
        ) from error


def check_entity(
    connection: Connection, tenant_id: int, entity: str, prefix: str = ""
) -> EventType:
    """Return the event type that a tenant sends; refuse an entity that it lacks.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose event type is read.
        entity: slug of a kind of entity.
        prefix: path of what has the entity in the request, for errors.

    Raises:
        InvalidRequest: the event type lacks the entity.
    """
    event_type = event_type_in_force(connection, tenant_id)
    entities = sorted({field.entity for field in event_type.kept.values() if field.entity})
    if entity not in entities:
        known = ", ".join(entities) if entities else "none"
        message = f"must be an entity of your event type, of which there are: {known}"
        raise invalid_request([FieldError(f"{prefix}entity", message)])
    return event_type


def check_list(
    connection: Connection,
    tenant_id: int,
    entity: str,
    action: ListAction | None,
    fields: Sequence[str] | None,
    prefix: str = "",
) -> None:
    """Refuse a list whose entity or fields the tenant's event type lacks.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose list it is.
        entity: slug of what its entries identify.
        action: outcome of a payment with an entity of the list; None where only rules read it.
        fields: fields whose values are looked up; None for every one of the entity.
        prefix: path of the list in the request, for errors.

    Raises:
        InvalidRequest: names the field of the list that is wrong.
    """
    kept = check_entity(connection, tenant_id, entity, prefix).kept
    if fields is None:
        return
    if action is None:
        raise invalid_request([FieldError(f"{prefix}fields", "are those of a list with an action")])
    own = [name for name, field in kept.items() if field.entity == entity]
    for i, name in enumerate(fields):
        if name not in own:
            message = f"must be a field of the entity {entity}: {', '.join(own)}"
            raise invalid_request([FieldError(f"{prefix}fields.{i}", message)])
        if name in fields[:i]:
            raise invalid_request([FieldError(f"{prefix}fields.{i}", "is there already")])

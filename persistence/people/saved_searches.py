"""Searches that a person keeps under a name; nobody else sees them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine, delete, select
from sqlalchemy.dialects.postgresql import insert

from persistence.actor import Actor
from persistence.key_names import check_name
from persistence.tables.people import SavedSearchRow
from persistence.tenancy import tenant_transaction
from scoring.errors import FieldError, InvalidRequest, NotFound

MAX_SAVED = 50
"""Searches of one person; a longer list is no help any more."""
MAX_QUERY_LENGTH = 4000


@dataclass(frozen=True, slots=True)
class SavedSearch:
    """A search under a name.

    Attributes:
        id: number of the search.
        name: name, unique among the person's searches.
        query: parameters of the page's address.
    """

    id: int
    name: str
    query: str


def list_searches(engine: Engine, tenant_id: int, user_id: int) -> list[SavedSearch]:
    """Return the searches of a person by name."""
    statement = (
        select(SavedSearchRow.id, SavedSearchRow.name, SavedSearchRow.query)
        .where(SavedSearchRow.tenant_id == tenant_id, SavedSearchRow.user_id == user_id)
        .order_by(SavedSearchRow.name)
    )
    with tenant_transaction(engine, tenant_id) as connection:
        return [SavedSearch(*row) for row in connection.execute(statement)]


def save_search(
    engine: Engine, tenant_id: int, user_id: int, *, name: str, parameters: str, actor: Actor
) -> None:
    """Keep a search; one of the same name is replaced.

    Args:
        engine: pool of connections.
        tenant_id: tenant of the person.
        user_id: person whose search it is.
        name: name of 1 to 64 characters.
        parameters: parameters of the page's address.
        actor: the person, as the audit log names them.

    Raises:
        InvalidRequest: the name is malformed, the search is too long, or the person has MAX_SAVED
            others.
    """
    check_name(name)
    if len(parameters) > MAX_QUERY_LENGTH:
        raise _refused("query", f"has more than {MAX_QUERY_LENGTH} characters")
    values = {"tenant_id": tenant_id, "user_id": user_id, "name": name, "query": parameters}
    others = select(SavedSearchRow.id).where(
        SavedSearchRow.tenant_id == tenant_id,
        SavedSearchRow.user_id == user_id,
        SavedSearchRow.name != name,
    )
    statement = (
        insert(SavedSearchRow)
        .values(**values)
        .on_conflict_do_update(
            index_elements=("tenant_id", "user_id", "name"), set_={"query": parameters}
        )
    )
    with tenant_transaction(engine, tenant_id, actor=actor) as connection:
        if len(connection.execute(others).all()) >= MAX_SAVED:
            raise _refused("name", f"is one too many: remove one of your {MAX_SAVED} searches")
        connection.execute(statement)


def remove_search(
    engine: Engine, tenant_id: int, user_id: int, search_id: int, *, actor: Actor
) -> None:
    """Remove a search of a person.

    Raises:
        NotFound: the person has none with that number.
    """
    statement = (
        delete(SavedSearchRow)
        .where(
            SavedSearchRow.tenant_id == tenant_id,
            SavedSearchRow.user_id == user_id,
            SavedSearchRow.id == search_id,
        )
        .returning(SavedSearchRow.id)
    )
    with tenant_transaction(engine, tenant_id, actor=actor) as connection:
        if connection.execute(statement).one_or_none() is None:
            raise NotFound("You have no such search.")


def _refused(field: str, message: str) -> InvalidRequest:
    return InvalidRequest(f"The {field} {message}.", errors=(FieldError(field, message),))

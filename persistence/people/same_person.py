"""Whether two actors are one person: an account, a key with its name, or a key that it made.

What is compared is what the product knows: the name and the e-mail of an account, what is before
the @ of the e-mail, the name of a key, and the account with which a key was issued in the console.
Names are compared without case. Two accounts are never one person, even where their names are
alike: of them only the e-mail is compared.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select

from persistence.actor import Actor
from persistence.tables.review import AuditRow

_USER, _KEY = "user ", "key "


@dataclass(frozen=True, slots=True)
class Identity:
    """The names under which an actor is known.

    Attributes:
        own: names of an account, or of a key and of the account that issued it.
        others: names that a key of the person may have.
        account: e-mail of an account, which is unlike any other one; None: it is none.
    """

    own: frozenset[str]
    others: frozenset[str]
    account: str | None = None

    def is_same_person(self, other: Identity) -> bool:
        """Return whether both are one person, as far as names say."""
        if self.account is not None and other.account is not None:
            return self.account == other.account
        return bool(self.own & (other.own | other.others) or other.own & self.others)


def identity_of(connection: Connection, tenant_id: int, actor: Actor) -> Identity:
    """Return the names of an actor.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant of the actor.
        actor: person or key, as the audit log names it.
    """
    own, others = _names(actor)
    if actor.via is not None and actor.via.startswith(_KEY):
        row = AuditRow
        issued = connection.execute(
            select(row.actor, row.via)
            .where(
                row.tenant_id == tenant_id,
                row.object == f"keys/{actor.via.removeprefix(_KEY)}",
                row.action == "key.created",
            )
            .limit(1)
        ).one_or_none()
        # An operator issues keys for other people; who signed in issues them for themselves.
        if issued is not None and (issued.via or "").startswith(_USER):
            issuer, more = _names(Actor(issued.actor, issued.via))
            own, others = own | issuer, others | more
    via = actor.via or ""
    account = via.removeprefix(_USER).casefold() if via.startswith(_USER) else None
    return Identity(own, others, account)


def identity_by_name(name: str) -> Identity:
    """Return the names of somebody whom another system names, often by an e-mail.

    Args:
        name: name of a user, as MLflow or the operating system has it.
    """
    user = name.casefold()
    before, at, _ = user.partition("@")
    return Identity(frozenset({user}), frozenset({before} if at else ()))


def _names(actor: Actor) -> tuple[frozenset[str], frozenset[str]]:
    name = actor.name.casefold()
    if actor.via is None or not actor.via.startswith(_USER):
        return frozenset({name}), frozenset()
    email = actor.via.removeprefix(_USER).casefold()
    return frozenset({name, email}), frozenset({email.partition("@")[0]})

"""Delete what people leave behind: claims, sessions and one-time links that have ended by time.

Nothing reads them any more. The audit log keeps who made them.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, text

from scoring.counted import counted

_ENDED = {
    "review_assignments": "until <= now()",
    "user_sessions": "expires_at <= now()",
    "sign_in_links": "expires_at <= now()",
}


class Ended(NamedTuple):
    """Numbers of rows that have ended.

    Attributes:
        claims: claims of transactions by looking at them.
        sessions: sessions of signed-in browsers.
        links: one-time links, used or not.
    """

    claims: int
    sessions: int
    links: int

    def __str__(self) -> str:
        return (
            f"{counted(self.claims, 'claim')}, {counted(self.sessions, 'session')} and"
            f" {counted(self.links, 'one-time link')} that had ended"
        )


def count_ended(connection: Connection) -> Ended:
    """Return how many rows `delete_ended` would delete."""
    counts = (
        connection.execute(text(f"SELECT count(*) FROM {table} WHERE {ended}"))  # noqa: S608
        for table, ended in _ENDED.items()
    )
    return Ended(*(count.scalar_one() for count in counts))


def delete_ended(connection: Connection) -> Ended:
    """Delete them; return how many they were."""
    deleted = (
        connection.execute(text(f"DELETE FROM {table} WHERE {ended}"))  # noqa: S608
        for table, ended in _ENDED.items()
    )
    return Ended(*(rows.rowcount for rows in deleted))

"""Keep Postgres from a kind of join whose cost it cannot know before tables are analysed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from sqlalchemy import Connection, text

Join = Literal["nestloop", "hashjoin", "mergejoin"]


@contextmanager
def without(connection: Connection, *joins: Join) -> Iterator[None]:
    """Run the block's statements without some kinds of join, where there is another way."""
    for join in joins:
        connection.execute(text(f"SET LOCAL enable_{join} = off"))
    yield
    for join in joins:
        connection.execute(text(f"SET LOCAL enable_{join} = on"))

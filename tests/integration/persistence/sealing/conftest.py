"""A sealed log on the test's database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine

from tests.support.data.sealed import SealedLog, Tamper


@pytest.fixture
def log(owner: Engine, tmp_path: Path) -> SealedLog:
    return SealedLog(owner, tmp_path / "heads")


@pytest.fixture
def tamper(database: str) -> Iterator[Tamper]:
    """A function that runs a statement as the superuser, without triggers: the row count."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        yield lambda statement, *values: connection.execute(statement, values).rowcount

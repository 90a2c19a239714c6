"""A log with a journal; a server of the test's own, and two tenants whose decisions it stores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scoring.errors import StoreUnavailable
from tests.support.data.journalled import JournalledStore
from tests.support.data.two_tenants import TwoTenants
from tests.support.postgres.own_server import OwnServer


@pytest.fixture
def server(make_home: Callable[[], Path]) -> Iterator[OwnServer]:
    """A server that a test may stop."""
    server = OwnServer(make_home())
    yield server
    server.stop()


@pytest.fixture
def tenants(server: OwnServer, tmp_path: Path) -> Iterator[TwoTenants]:
    """Two tenants, of which one decision is stored."""
    tenants = TwoTenants(server, tmp_path)
    tenants.store.watcher.start()
    assert not tenants.decide().is_journalled
    yield tenants
    tenants.store.close()


@pytest.fixture
def store(database: str, tmp_path: Path) -> Iterator[JournalledStore]:
    """A log whose circuit is open: nothing looks after Postgres."""
    store = JournalledStore(database, tmp_path)
    store.circuit.open(StoreUnavailable("away"))
    yield store
    store.close()

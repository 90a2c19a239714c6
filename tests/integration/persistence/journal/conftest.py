"""A server of the test's own, and two tenants whose decisions it stores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

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

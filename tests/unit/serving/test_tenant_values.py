"""The value in force of each tenant: replaced when it is read, kept while it cannot be."""

from __future__ import annotations

import threading

import pytest

from scoring.errors import SentinelError, StoreUnavailable
from serving.deployment.tenant_values import TenantValues


class Unreadable(SentinelError):
    """A stored value that is not one of this release."""


class Stored:
    """Stored values, of which some cannot be read."""

    def __init__(self) -> None:
        self.values: dict[int, str | SentinelError] = {}
        self.in_process = TenantValues[str](self._all, self._one, Unreadable)
        self.is_away = False

    def _all(self) -> dict[int, str | SentinelError]:
        if self.is_away:
            raise StoreUnavailable("away")
        return {**self.values}

    def _one(self, tenant_id: int) -> str | None:
        if self.is_away:
            raise StoreUnavailable("away")
        value = self.values.get(tenant_id)
        if isinstance(value, SentinelError):
            raise value
        return value


@pytest.fixture
def stored() -> Stored:
    return Stored()


def test_a_value_is_in_force_once_it_is_read(stored: Stored) -> None:
    stored.values = {1: "a", 2: "b"}
    assert stored.in_process.get(1) is None
    stored.in_process.refresh_tenant(1)
    assert (stored.in_process.get(1), stored.in_process.get(2)) == ("a", None)
    stored.in_process.refresh()
    assert stored.in_process.get(2) == "b"


@pytest.mark.parametrize("read_all", [True, False])
def test_a_removed_value_is_no_longer_in_force(stored: Stored, read_all: bool) -> None:
    stored.values = {1: "a"}
    stored.in_process.refresh()
    stored.values = {}
    if read_all:
        stored.in_process.refresh()
    else:
        stored.in_process.refresh_tenant(1)
    assert stored.in_process.get(1) is None


@pytest.mark.parametrize("read_all", [True, False])
def test_one_that_cannot_be_read_leaves_the_one_before(stored: Stored, read_all: bool) -> None:
    def read() -> None:
        if read_all:
            stored.in_process.refresh()
        else:
            stored.in_process.refresh_tenant(1)

    stored.values = {1: "a"}
    read()
    stored.values = {1: Unreadable("of a later release")}
    read()
    assert stored.in_process.get(1) == "a"
    assert stored.in_process.unreadable == {1: "of a later release"}
    stored.values = {1: "b"}
    read()
    assert stored.in_process.get(1) == "b"
    assert stored.in_process.unreadable == {}


def test_a_tenant_whose_first_value_cannot_be_read_has_none(stored: Stored) -> None:
    stored.values = {1: Unreadable("of a later release"), 2: "b"}
    stored.in_process.refresh()
    assert (stored.in_process.get(1), stored.in_process.get(2)) == (None, "b")
    assert list(stored.in_process.unreadable) == [1]


def test_while_the_store_is_away_everything_stays_in_force(stored: Stored) -> None:
    stored.values = {1: "a"}
    stored.in_process.refresh()
    stored.is_away = True
    with pytest.raises(StoreUnavailable):
        stored.in_process.refresh()
    with pytest.raises(StoreUnavailable):
        stored.in_process.refresh_tenant(1)
    assert stored.in_process.get(1) == "a"


def test_an_older_reading_does_not_overwrite_a_newer_one() -> None:
    values = {1: "old"}
    is_reading, may_return = threading.Event(), threading.Event()

    def read_all() -> dict[int, str]:
        read = {**values}
        is_reading.set()
        assert may_return.wait(5)
        return read

    in_process = TenantValues[str](read_all, values.get, Unreadable)
    slow = threading.Thread(target=in_process.refresh)
    slow.start()
    assert is_reading.wait(5)
    values[1] = "new"
    quick = threading.Thread(target=in_process.refresh_tenant, args=(1,))
    quick.start()
    may_return.set()
    slow.join()
    quick.join()
    assert in_process.get(1) == "new"

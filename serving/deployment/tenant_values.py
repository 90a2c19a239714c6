"""One kind of stored value of each tenant, kept in this process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from scoring.errors import SentinelError

Value = TypeVar("Value")


class TenantValues(Generic[Value]):
    """The value in force of each tenant, read by every request.

    A tenant whose stored value cannot be read keeps the one before.

    Args:
        read_all: function that reads the value of every tenant that has one, or the reason why it
            cannot be read.
        read_one: function that reads one tenant's value; None where it has none. It raises
            `unreadable_error` where the value cannot be read.
        unreadable_error: error of a stored value that is not one of this release.
    """

    def __init__(
        self,
        read_all: Callable[[], Mapping[int, Value | SentinelError]],
        read_one: Callable[[int], Value | None],
        unreadable_error: type[SentinelError],
    ) -> None:
        self._read_all = read_all
        self._read_one = read_one
        self._unreadable_error = unreadable_error
        self._in_force: dict[int, Value] = {}
        self._unreadable: dict[int, str] = {}
        # Held from the query to the assignment, so that no older result overwrites a newer one.
        self._reading = threading.Lock()

    def get(self, tenant_id: int) -> Value | None:
        """Return the value in force; None where the tenant has none."""
        return self._in_force.get(tenant_id)

    @property
    def unreadable(self) -> Mapping[int, str]:
        """The reason by tenant whose stored value cannot be read; the one before stays in force.

        A tenant of which no value was read before has none in force.
        """
        return self._unreadable

    def refresh(self) -> None:
        """Read every tenant's value.

        Raises:
            StoreUnavailable: Postgres cannot be reached; the previous values stay in force.
        """
        with self._reading:
            in_force: dict[int, Value] = {}
            unreadable: dict[int, str] = {}
            for tenant_id, value in self._read_all().items():
                if not isinstance(value, SentinelError):
                    in_force[tenant_id] = value
                    continue
                unreadable[tenant_id] = value.detail
                if tenant_id in self._in_force:
                    in_force[tenant_id] = self._in_force[tenant_id]
            self._in_force, self._unreadable = in_force, unreadable

    def refresh_tenant(self, tenant_id: int) -> None:
        """Read one tenant's value; it applies to every later request.

        Raises:
            StoreUnavailable: Postgres cannot be reached; the previous value stays in force.
        """
        with self._reading:
            try:
                newest = self._read_one(tenant_id)
            except self._unreadable_error as error:
                self._unreadable[tenant_id] = error.detail
                return
            self._unreadable.pop(tenant_id, None)
            if newest is None:
                self._in_force.pop(tenant_id, None)
            else:
                self._in_force[tenant_id] = newest

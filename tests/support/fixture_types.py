"""Types of the factories that fixtures of `stack` hand out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from persistence.tenants import Tenant

Rows = Callable[..., list[dict[str, Any]]]
"""`rows(statement, **values)`: what a SELECT finds, by column."""

MakeTenant = Callable[..., Tenant]
"""`make_tenant(slug="demo")`: a stored tenant whose production version is fraud-demo 1."""

"""People of a tenant who make rules and lists over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

from persistence.api_keys import issue_key
from tests.support.factories import a_body
from tests.support.stack import KEY_SECRET, Service

if TYPE_CHECKING:
    from persistence.tenants import Tenant
    from tests.support.system import System


class Caller:
    """An API key of a tenant with one scope, and the service that it asks."""

    def __init__(self, system: System, tenant: Tenant, *scopes: str) -> None:
        self.service: Service = system.service
        self.key = issue_key(system.engine, tenant.id, scopes, KEY_SECRET)
        self.headers = {"Authorization": f"Bearer {self.key}"}

    @property
    def name(self) -> str:
        """The caller, as the audit log names it."""
        return "key " + self.key.split("_")[1]

    def ask(self, method: str, path: str, json: Any = None, **headers: str) -> httpx.Response:
        """Send a request; `_` in a header's name stands for `-`."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.service.client.request(
            method, path, json=json, headers={**self.headers, **sent}
        )

    def makes(self, path: str, **body: Any) -> dict[str, Any]:
        """POST a body that is accepted, and return the reply."""
        reply = self.ask("POST", path, body)
        assert reply.status_code == 201, reply.text
        made: dict[str, Any] = reply.json()
        return made

    def reads(self, path: str) -> Any:
        """GET what is there."""
        reply = self.ask("GET", path)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def scores(self, service: Service | None = None, **body: Any) -> dict[str, Any]:
        """Return the decision of a payment, in this or another process."""
        reply = (service or self.service).post("/score", a_body(**body), self.key)
        assert reply.status_code == 200, reply.text
        decided: dict[str, Any] = reply.json()
        return decided

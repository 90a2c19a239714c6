"""Send, start and read uploads as a person does in the console, and what they stored."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import httpx
from sqlalchemy import text

from persistence.tenancy import tenant_transaction
from persistence.uploads.facts import Upload, read_upload
from tests.support.console.site import Person, Site


def send(person: Person, file: str | bytes, name: str = "payments.csv") -> httpx.Response:
    """Send a file as the form does."""
    content = file.encode() if isinstance(file, str) else file
    return person.post(
        "/console/uploads", data={"csrf": person.csrf}, files={"file": (name, content)}
    )


def sent(person: Person, file: str | bytes, name: str = "payments.csv") -> str:
    """Send a file that is taken; return the address of its upload."""
    reply = send(person, file, name)
    assert reply.status_code == 303, reply.text
    return reply.headers["location"]


def chosen(page: str) -> dict[str, str]:
    """Return the columns that a page's form proposes, by the names of its inputs."""
    selects = re.findall(r'<select id="c\d+" name="(f\.[^"]+)"(.*?)</select>', page, re.S)
    found = {name: re.search("<option selected>(.*?)</option>", body) for name, body in selects}
    return {name: match[1] for name, match in found.items() if match}


def started(person: Person, file: str | bytes, **changes: str) -> str:
    """Send a file, accept the columns that are proposed but for `changes`, and start it."""
    address = sent(person, file)
    form = chosen(person.get(address).text) | changes
    reply = person.submit(f"{address}/start", **form)
    assert reply.status_code == 303, reply.text
    return address


def table(reply: httpx.Response, separator: str = ",") -> list[dict[str, str]]:
    """Return the rows of a file that was fetched, by column."""
    assert reply.status_code == 200
    body = reply.content.decode("utf-8-sig", errors="surrogateescape")
    return list(csv.DictReader(io.StringIO(body, newline=""), delimiter=separator, strict=True))


def stored(site: Site, columns: str = "external_id, amount, name_orig") -> list[Any]:
    """Return columns of the tenant's transactions, in the order of their external ids."""
    order = "length(external_id), external_id"
    with tenant_transaction(site.engine, site.tenant.id) as connection:
        found = connection.execute(text(f"SELECT {columns} FROM transactions ORDER BY {order}"))  # noqa: S608
        return [tuple(row) for row in found]


def facts(site: Site, address: str) -> Upload:
    """Return the upload of an address."""
    return read_upload(site.engine, site.tenant.id, int(address.rpartition("/")[2]))


def audited(site: Site) -> list[tuple[str, str, Any]]:
    """Return actor, action and status of each entry of the audit log about uploads."""
    with tenant_transaction(site.engine, site.tenant.id) as connection:
        found = connection.execute(
            text(
                "SELECT actor, action, after->>'status' FROM audit_log"
                " WHERE action LIKE 'upload.%' ORDER BY id"
            )
        )
        return [tuple(row) for row in found]

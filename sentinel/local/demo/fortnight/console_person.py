"""A person of the demo at work in the console, over HTTP as from a browser without scripts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import httpx

from sentinel.local.demo.errors import DemoError
from sentinel.local.demo.tenant import TENANT


class ConsolePerson:
    """A person who signs in by password and out at the end of the block."""

    def __init__(self, url: str, email: str, password: str) -> None:
        """Prepare the person's browser.

        Args:
            url: address of the service.
            email: address of the person, of the demo's tenant.
            password: password of the person.
        """
        self._browser = httpx.Client(base_url=url, timeout=30, trust_env=False)
        self._form = {"organisation": TENANT, "email": email, "password": password}
        self._csrf = ""

    def __enter__(self) -> Self:
        """Sign in."""
        self.submit("/console/sign-in", **self._form)
        self._csrf = self.value_on("/console/settings", "csrf")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Sign out."""
        if error is None:
            self.submit("/console/sign-out")
        self._browser.close()

    def submit(self, path: str, /, **fields: str | list[str]) -> str:
        """Send a form; return the address that the console leads to.

        Args:
            path: address of the form.
            fields: texts by name of the field, or lists of texts.

        Raises:
            DemoError: the console does not take it.
        """
        reply = self._send("POST", path, fields)
        if reply.status_code != httpx.codes.SEE_OTHER:
            raise _refused(path, reply)
        return str(reply.headers["location"])

    def field_of(self, path: str, name: str, /, **fields: str | list[str]) -> str:
        """Send a form that shows a page; return the value of one of the page's fields.

        Raises:
            DemoError: the console does not take it, or the page has no such field.
        """
        return _value(path, self._send("POST", path, fields), name)

    def value_on(self, path: str, name: str) -> str:
        """Return the value of a field of a page.

        Raises:
            DemoError: there is no such page, or it has no such field.
        """
        return _value(path, self._send("GET", path, None), name)

    def _send(
        self, method: str, path: str, fields: Mapping[str, str | list[str]] | None
    ) -> httpx.Response:
        data = None if fields is None else {"csrf": self._csrf, **fields}
        try:
            return self._browser.request(method, path, data=data)
        except httpx.HTTPError as error:
            raise DemoError(f"The console did not answer: {error}") from error


def _value(path: str, page: httpx.Response, name: str) -> str:
    found = re.search(f'name="{name}" value="([^"]*)"', page.text)
    if not page.is_success or found is None:
        raise _refused(path, page)
    return found[1]


def _refused(path: str, reply: httpx.Response) -> DemoError:
    return DemoError(f"The console did not take what was sent to {path}: {reply.status_code}.")

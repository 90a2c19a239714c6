"""Read the registry of an MLflow server over HTTP: https://mlflow.org/docs/latest/rest-api.html.

It does not use MLflow's own client, so serving needs neither MLflow nor pandas: 345 MB of
site-packages instead of 872.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx

from registry.client.address import parse_address
from registry.client.aliases import AliasSearch, ListedModel
from registry.client.base import AliasesOfName, RegisteredVersion, RegistryUnavailable
from registry.client.http import open_client, translate_errors
from registry.client.tls import tls_context
from scoring.errors import ModelRefused

DOWNLOAD_S = 300.0
"""Longest download of one file; without it a server that sends a byte at a time blocks for ever."""

_API = "/api/2.0/mlflow"
_ITEMS_A_PAGE = "1000"
# A missing alias is INVALID_PARAMETER_VALUE, a missing model RESOURCE_DOES_NOT_EXIST.
_ABSENT = frozenset({400, 404})


class RestClient:
    """Reads the registry of an MLflow server, of version 3.17 or newer."""

    def __init__(self, tracking_uri: str) -> None:
        self._address = parse_address(tracking_uri)
        self._tls = tls_context()
        # One client a thread: a client that threads shared has read from sockets it had closed.
        self._of_thread = threading.local()
        self._search_aliases = AliasSearch(
            self._search_models, self._search_versions, self.find, self.resolve
        )

    def aliases(self, names: Collection[str]) -> dict[str, AliasesOfName]:
        """See `RegistryReader`."""
        return self._search_aliases(names)

    def resolve(self, name: str, alias: str) -> RegisteredVersion | None:
        """See `RegistryReader`."""
        return self._version("/registered-models/alias", name=name, alias=alias)

    def find(self, name: str, version: int) -> RegisteredVersion | None:
        """See `RegistryReader`."""
        return self._version("/model-versions/get", name=name, version=str(version))

    def download(self, version: RegisteredVersion, path: str, to: Path, max_bytes: int) -> bool:
        """See `RegistryReader`."""
        params = {"name": version.name, "version": str(version.version), "path": path}
        left = max_bytes
        deadline_s = time.monotonic() + DOWNLOAD_S
        with (
            self._translated(),
            self._client.stream("GET", "/model-versions/get-artifact", params=params) as response,
        ):
            if response.status_code in _ABSENT:
                return False
            response.raise_for_status()
            with to.open("wb") as file:
                for chunk in response.iter_bytes():
                    left -= len(chunk)
                    if left < 0:
                        raise ModelRefused(f"{to.name} is larger than {max_bytes:,} bytes")
                    if time.monotonic() > deadline_s:
                        raise RegistryUnavailable(
                            f"MLflow did not send {to.name} within {DOWNLOAD_S:.0f} s"
                        )
                    file.write(chunk)
        return True

    def tag(self, version: RegisteredVersion, key: str, value: str) -> None:
        """See `RegistryReader`."""
        tag = {"name": version.name, "version": str(version.version), "key": key, "value": value}
        with self._translated():
            self._client.post(f"{_API}/model-versions/set-tag", json=tag).raise_for_status()

    def untag(self, version: RegisteredVersion, key: str) -> None:
        """See `RegistryReader`."""
        tag = {"name": version.name, "version": str(version.version), "key": key}
        with self._translated():
            reply = self._client.request("DELETE", f"{_API}/model-versions/delete-tag", json=tag)
            reply.raise_for_status()

    @property
    def _client(self) -> httpx.Client:
        if not hasattr(self._of_thread, "client"):
            self._of_thread.client = open_client(self._address, self._tls)
        client: httpx.Client = self._of_thread.client
        return client

    def _translated(self) -> AbstractContextManager[None]:
        return translate_errors(self._address)

    def _version(self, path: str, **params: str) -> RegisteredVersion | None:
        with self._translated():
            response = self._client.get(f"{_API}{path}", params=params)
            if _is_absent(response):
                return None
            return _version(response.raise_for_status().json()["model_version"])

    def _search_models(self, name_filter: str) -> list[ListedModel]:
        with self._translated():
            return [_model(item) for item in self._search("registered-models", name_filter)]

    def _search_versions(self, version_filter: str) -> list[RegisteredVersion]:
        with self._translated():
            return [_version(item) for item in self._search("model-versions", version_filter)]

    def _search(self, kind: str, filter_string: str) -> Iterator[Mapping[str, Any]]:
        page = {"filter": filter_string, "max_results": _ITEMS_A_PAGE}
        while True:
            reply = self._client.get(f"{_API}/{kind}/search", params=page)
            content = reply.raise_for_status().json()
            yield from content.get(kind.replace("-", "_"), ())
            if not content.get("next_page_token"):
                return
            page["page_token"] = content["next_page_token"]


def _is_absent(response: httpx.Response) -> bool:
    """Whether MLflow, not something before it, replies that there is no such model or alias."""
    return response.status_code in _ABSENT and '"error_code"' in response.text


def _model(item: Mapping[str, Any]) -> ListedModel:
    return ListedModel(
        _text(item["name"]),
        int(item["creation_timestamp"]),
        {_text(alias["alias"]): int(alias["version"]) for alias in item.get("aliases", ())},
        [_version(latest) for latest in item.get("latest_versions", ())],
    )


def _version(item: Mapping[str, Any]) -> RegisteredVersion:
    return RegisteredVersion(
        _text(item["name"]),
        int(item["version"]),
        int(item["creation_timestamp"]),
        {_text(tag["key"]): _text(tag.get("value", "")) for tag in item.get("tags", ())},
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.40} is no text")
    return value

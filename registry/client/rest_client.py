"""Read the registry of an MLflow server over HTTP: https://mlflow.org/docs/latest/rest-api.html.

Without MLflow's own client, so that serving needs neither MLflow nor pandas: 345 MB of
site-packages instead of 872.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from registry.client.aliases import AliasSearch, ListedModel
from registry.client.base import RegisteredVersion, RegistryUnavailable
from scoring.errors import ModelRefused

TIMEOUT_S = 5.0
_API = "/api/2.0/mlflow"
_ITEMS_A_PAGE = "1000"
# A missing alias is INVALID_PARAMETER_VALUE, a missing model RESOURCE_DOES_NOT_EXIST.
_ABSENT = frozenset({400, 404})


class RestClient:
    """Reads the registry of an MLflow server, of version 3.17 or newer."""

    def __init__(self, tracking_uri: str) -> None:
        self._url = tracking_uri.rstrip("/")
        self._tls = httpx.create_ssl_context()
        # A client a thread: one that many threads share has read from sockets it had closed.
        self._of_thread = threading.local()
        self._look = AliasSearch(
            self._search_models, self._search_versions, self.find, self.resolve
        )

    def aliases(self, names: Collection[str]) -> dict[str, dict[str, RegisteredVersion]]:
        """See `RegistryReader`."""
        return self._look(names)

    def resolve(self, name: str, alias: str) -> RegisteredVersion | None:
        """See `RegistryReader`."""
        return self._version("/registered-models/alias", name=name, alias=alias)

    def find(self, name: str, version: int) -> RegisteredVersion | None:
        """See `RegistryReader`."""
        return self._version("/model-versions/get", name=name, version=str(version))

    def download(self, version: RegisteredVersion, path: str, to: Path, max_bytes: int) -> bool:
        """See `RegistryReader`."""
        which = {"name": version.name, "version": str(version.version), "path": path}
        left = max_bytes
        with (
            _translate_errors(),
            self._client.stream("GET", "/model-versions/get-artifact", params=which) as response,
        ):
            if response.status_code in _ABSENT:
                return False
            response.raise_for_status()
            with to.open("wb") as file:
                for chunk in response.iter_bytes():
                    left -= len(chunk)
                    if left < 0:
                        raise ModelRefused(f"{to.name} is larger than {max_bytes:,} bytes")
                    file.write(chunk)
        return True

    def tag(self, version: RegisteredVersion, key: str, value: str) -> None:
        """See `RegistryReader`."""
        tag = {"name": version.name, "version": str(version.version), "key": key, "value": value}
        with _translate_errors():
            self._client.post(f"{_API}/model-versions/set-tag", json=tag).raise_for_status()

    @property
    def _client(self) -> httpx.Client:
        if not hasattr(self._of_thread, "client"):
            self._of_thread.client = httpx.Client(
                base_url=self._url, timeout=TIMEOUT_S, verify=self._tls
            )
        client: httpx.Client = self._of_thread.client
        return client

    def _version(self, path: str, **which: str) -> RegisteredVersion | None:
        with _translate_errors():
            response = self._client.get(f"{_API}{path}", params=which)
            if response.status_code in _ABSENT:
                return None
            return _version(response.raise_for_status().json()["model_version"])

    def _search_models(self, which: str) -> list[ListedModel]:
        with _translate_errors():
            found = self._search("registered-models", which)
            return [_model(item) for item in found]

    def _search_versions(self, which: str) -> list[RegisteredVersion]:
        with _translate_errors():
            found = self._search("model-versions", which)
            return [_version(item) for item in found]

    def _search(self, what: str, which: str) -> Iterator[Mapping[str, Any]]:
        page = {"filter": which, "max_results": _ITEMS_A_PAGE}
        while True:
            reply = self._client.get(f"{_API}/{what}/search", params=page)
            content = reply.raise_for_status().json()
            yield from content.get(what.replace("-", "_"), ())
            if not content.get("next_page_token"):
                return
            page["page_token"] = content["next_page_token"]


def _model(item: Mapping[str, Any]) -> ListedModel:
    return ListedModel(
        item["name"],
        int(item["creation_timestamp"]),
        {found["alias"]: int(found["version"]) for found in item.get("aliases", ())},
        [_version(found) for found in item.get("latest_versions", ())],
    )


def _version(item: Mapping[str, Any]) -> RegisteredVersion:
    return RegisteredVersion(
        item["name"],
        int(item["version"]),
        int(item["creation_timestamp"]),
        {tag["key"]: tag["value"] for tag in item.get("tags", ())},
    )


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Translate httpx's errors, and replies of another shape, into RegistryUnavailable."""
    try:
        yield
    except httpx.HTTPStatusError as error:
        where = error.request.url.path
        raise RegistryUnavailable(
            f"MLflow answered {error.response.status_code} for {where}"
        ) from error
    except httpx.HTTPError as error:
        raise RegistryUnavailable(
            f"MLflow did not answer: {error or type(error).__name__}"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RegistryUnavailable(f"MLflow's answer is not understood: {error}") from error

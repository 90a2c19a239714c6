"""Read the registry from MLflow's database through MLflow's own client, without a server."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.exceptions import MlflowException

from registry.client.aliases import AliasSearch, ListedModel
from registry.client.base import AliasesOfName, RegisteredVersion, RegistryUnavailable
from registry.client.mlflow_errors import translate_errors
from registry.client.mlflow_migrations import escape_script_location
from scoring.errors import ModelRefused

_ITEMS_A_PAGE = 1000
Value = TypeVar("Value")

_ABSENT = frozenset({"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"})


class SqlClient:
    """Reads the registry from MLflow's database."""

    def __init__(self, tracking_uri: str) -> None:
        escape_script_location()
        self._client: Any = MlflowClient(tracking_uri, registry_uri=tracking_uri)
        self._search_aliases = AliasSearch(
            self._search_models, self._search_versions, self.find, self.resolve
        )

    def aliases(self, names: Collection[str]) -> dict[str, AliasesOfName]:
        """See `RegistryReader`."""
        return self._search_aliases(names)

    def resolve(self, name: str, alias: str) -> RegisteredVersion | None:
        """See `RegistryReader`."""
        return _unless_absent(
            lambda: _version(self._client.get_model_version_by_alias(name, alias))
        )

    def find(self, name: str, version: int) -> RegisteredVersion | None:
        """See `RegistryReader`."""
        return _unless_absent(lambda: _version(self._client.get_model_version(name, str(version))))

    def download(self, version: RegisteredVersion, path: str, to: Path, max_bytes: int) -> bool:
        """See `RegistryReader`."""
        number = str(version.version)
        artefact = _unless_absent(
            lambda: Path(
                download_artifacts(
                    f"{self._client.get_model_version_download_uri(version.name, number)}/{path}"
                )
            )
        )
        if artefact is None or not artefact.is_file():
            return False
        if artefact.stat().st_size > max_bytes:
            raise ModelRefused(f"{to.name} is larger than {max_bytes:,} bytes")
        shutil.copyfile(artefact, to)
        return True

    def tag(self, version: RegisteredVersion, key: str, value: str) -> None:
        """See `RegistryReader`."""
        with translate_errors(RegistryUnavailable):
            self._client.set_model_version_tag(version.name, str(version.version), key, value)

    def untag(self, version: RegisteredVersion, key: str) -> None:
        """See `RegistryReader`."""
        with translate_errors(RegistryUnavailable):
            self._client.delete_model_version_tag(version.name, str(version.version), key)

    def _search_models(self, name_filter: str) -> list[ListedModel]:
        items = _all_pages(self._client.search_registered_models, name_filter)
        with _translated_shape():
            return [
                ListedModel(
                    item.name,
                    int(item.creation_timestamp),
                    {alias: int(number) for alias, number in item.aliases.items()},
                    [_version(latest) for latest in item.latest_versions],
                )
                for item in items
            ]

    def _search_versions(self, version_filter: str) -> list[RegisteredVersion]:
        items = _all_pages(self._client.search_model_versions, version_filter)
        with _translated_shape():
            return [_version(item) for item in items]


@contextmanager
def _translated_shape() -> Iterator[None]:
    """Translate the errors of reading a value that MLflow should not return."""
    try:
        yield
    except (ValueError, TypeError, AttributeError) as error:
        raise RegistryUnavailable(f"MLflow's reply has an unknown shape: {error}") from error


def _all_pages(search: Callable[..., Any], filter_string: str) -> Iterator[Any]:
    token = None
    while True:
        with translate_errors(RegistryUnavailable):
            page = search(filter_string, max_results=_ITEMS_A_PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _unless_absent(read: Callable[[], Value]) -> Value | None:
    with translate_errors(RegistryUnavailable), _translated_shape():
        try:
            return read()
        except MlflowException as error:
            if error.error_code not in _ABSENT:
                raise
            return None


def _version(item: Any) -> RegisteredVersion:  # noqa: ANN401 - MLflow has no types
    return RegisteredVersion(
        item.name, int(item.version), int(item.creation_timestamp), dict(item.tags)
    )

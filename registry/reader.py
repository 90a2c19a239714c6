"""Reading the model registry while serving: which version an alias names, and its files.

Two ways to the same answers. A tracking URI over HTTP is asked through MLflow's REST API, so that
serving needs neither MLflow nor pandas (345 MB of site-packages against 872); the SQLite file of a
laptop has no server to ask and goes through MLflow's client.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx

from registry.names import MODEL_PATH

TIMEOUT_S = 5.0


class RegistryUnavailable(Exception):
    """MLflow did not answer, or answered with an error of its own."""


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """A model version as the registry names it.

    Attributes:
        name: registered model. version: its number.
        created_ms: when it was registered (Unix ms); tells two registries' versions apart.
    """

    name: str
    version: int
    created_ms: int


class RegistryReader(Protocol):
    """What serving asks of the registry. Every method raises RegistryUnavailable."""

    def resolve(self, name: str, alias: str) -> RegisteredVersion | None:
        """Return the version under an alias, or None when model or alias do not exist."""
        ...

    def find(self, name: str, version: int) -> RegisteredVersion | None:
        """Return a version by its number, or None when it does not exist."""
        ...

    def read_file(self, version: RegisteredVersion, file_name: str) -> bytes | None:
        """Return one of the version's model files, or None when it lacks the file."""
        ...

    def tag(self, version: RegisteredVersion, key: str, value: str) -> None:
        """Set a tag on the version, where data scientists see it."""
        ...


def open_registry(tracking_uri: str) -> RegistryReader:
    """Return a reader for a tracking URI (`http(s)://...`, or a database such as `sqlite:///...`).

    Raises:
        ValueError: the URI is of another kind.
    """
    scheme = urlsplit(tracking_uri).scheme
    if scheme in {"http", "https"}:
        return HttpRegistry(tracking_uri)
    if scheme.split("+")[0] in {"sqlite", "postgresql", "mysql", "mssql"}:
        return DatabaseRegistry(tracking_uri)
    raise ValueError(
        f"MLFLOW_TRACKING_URI is {tracking_uri!r}; it has to be an http(s):// or a database URI"
    )


class HttpRegistry:
    """The registry behind an MLflow server: https://mlflow.org/docs/latest/rest-api.html."""

    def __init__(self, tracking_uri: str) -> None:
        self._client = httpx.Client(base_url=tracking_uri.rstrip("/"), timeout=TIMEOUT_S)

    def resolve(self, name: str, alias: str) -> RegisteredVersion | None:
        """See `RegistryReader`."""
        return self._version("/api/2.0/mlflow/registered-models/alias", name=name, alias=alias)

    def find(self, name: str, version: int) -> RegisteredVersion | None:
        """See `RegistryReader`."""
        return self._version("/api/2.0/mlflow/model-versions/get", name=name, version=str(version))

    def _version(self, path: str, *, name: str, **which: str) -> RegisteredVersion | None:
        response = self._get(path, name=name, **which)
        if response.is_success:
            found = response.json()["model_version"]
            return RegisteredVersion(
                name, int(found["version"]), int(found.get("creation_timestamp", 0))
            )
        # A missing alias is INVALID_PARAMETER_VALUE, a missing model RESOURCE_DOES_NOT_EXIST.
        if response.status_code in {400, 404}:
            return None
        raise RegistryUnavailable(f"MLflow answered {response.status_code} for a model version")

    def read_file(self, version: RegisteredVersion, file_name: str) -> bytes | None:
        """See `RegistryReader`."""
        response = self._get(
            "/model-versions/get-artifact",
            name=version.name,
            version=str(version.version),
            path=f"{MODEL_PATH}/{file_name}",
        )
        if response.is_success:
            return response.content
        if response.status_code in {400, 404}:
            return None
        raise RegistryUnavailable(f"MLflow answered {response.status_code} for {file_name}")

    def tag(self, version: RegisteredVersion, key: str, value: str) -> None:
        """See `RegistryReader`."""
        body = {
            "name": version.name,
            "version": str(version.version),
            "key": key,
            "value": value,
        }
        try:
            response = self._client.post("/api/2.0/mlflow/model-versions/set-tag", json=body)
        except httpx.HTTPError as error:
            raise RegistryUnavailable(f"MLflow did not answer: {error}") from error
        if not response.is_success:
            raise RegistryUnavailable(f"MLflow answered {response.status_code} for a tag")

    def _get(self, path: str, /, **params: str) -> httpx.Response:
        try:
            return self._client.get(path, params=params)
        except httpx.HTTPError as error:
            raise RegistryUnavailable(f"MLflow did not answer: {error}") from error


class DatabaseRegistry:
    """The registry in a database file of this machine, through MLflow's client."""

    def __init__(self, tracking_uri: str) -> None:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        self._client: Any = MlflowClient(tracking_uri, registry_uri=tracking_uri)
        self._error = MlflowException

    def resolve(self, name: str, alias: str) -> RegisteredVersion | None:
        """See `RegistryReader`."""
        return self._version(lambda: self._client.get_model_version_by_alias(name, alias))

    def find(self, name: str, version: int) -> RegisteredVersion | None:
        """See `RegistryReader`."""
        return self._version(lambda: self._client.get_model_version(name, str(version)))

    def _version(self, ask: Callable[[], Any]) -> RegisteredVersion | None:
        try:
            found = ask()
        except self._error as error:
            if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
                return None
            raise RegistryUnavailable(str(error)) from error
        return RegisteredVersion(found.name, int(found.version), int(found.creation_timestamp))

    def read_file(self, version: RegisteredVersion, file_name: str) -> bytes | None:
        """See `RegistryReader`."""
        from mlflow.artifacts import download_artifacts

        try:
            uri = self._client.get_model_version_download_uri(version.name, str(version.version))
            path = download_artifacts(f"{uri}/{MODEL_PATH}/{file_name}")
        except self._error as error:
            raise RegistryUnavailable(str(error)) from error
        except OSError:
            return None
        return Path(path).read_bytes()

    def tag(self, version: RegisteredVersion, key: str, value: str) -> None:
        """See `RegistryReader`."""
        try:
            self._client.set_model_version_tag(version.name, str(version.version), key, value)
        except self._error as error:
            raise RegistryUnavailable(str(error)) from error

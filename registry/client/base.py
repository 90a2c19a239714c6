"""The interface of a registry client, and the values it returns."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from scoring.errors import CommandError, SentinelError


class RegistryUnavailable(SentinelError):
    """MLflow did not respond, or responded with an error."""

    status = 503
    code = "registry-unavailable"
    title = "The model registry is unavailable"
    retry = "Yes, after Retry-After; nothing was changed"


class MlflowSettingsError(CommandError, ValueError):
    """A setting for MLflow cannot be used; the message names it and shows no secret."""


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """A model version in the registry; comparisons ignore its tags.

    Attributes:
        name: name of the registered model.
        version: number of the version.
        created_ms: time of its registration, Unix milliseconds; it distinguishes versions with the
            same number after the registered model is deleted and created again, or on another
            server.
        tags: tags of the version: all of them from `resolve` and `find`, at least a challenger's
            CANARY_TAG from `aliases`.
    """

    name: str
    version: int
    created_ms: int
    tags: Mapping[str, str] = field(default_factory=dict, compare=False)

    def __str__(self) -> str:
        """Return the name and number, such as `fraud-demo version 3`."""
        return f"{self.name} version {self.version}"


AliasesOfName = Mapping[str, RegisteredVersion] | RegistryUnavailable
"""Versions of a registered model by alias, or the error of reading this name, not of all names."""


class RegistryReader(Protocol):
    """A client of the registry, safe to use from any thread.

    Every method raises RegistryUnavailable. `RestClient` and `SqlClient` implement it and return
    the same values.
    """

    def aliases(self, names: Collection[str]) -> dict[str, AliasesOfName]:
        """Return the versions under `production` and `challenger` of each registered model.

        Returns:
            Existing aliases by model name; empty for a model that does not exist; an error for a
            name that cannot be read while others can.
        """
        ...

    def resolve(self, name: str, alias: str) -> RegisteredVersion | None:
        """Return the version under an alias, or None when model or alias do not exist."""
        ...

    def find(self, name: str, version: int) -> RegisteredVersion | None:
        """Return a version by its number, or None when it does not exist."""
        ...

    def download(self, version: RegisteredVersion, path: str, to: Path, max_bytes: int) -> bool:
        """Write one of the version's artefacts to a file; return False when the version lacks it.

        Args:
            version: version that the artefact belongs to.
            path: path from the root of its artefacts.
            to: file that is written.
            max_bytes: largest size of the file.

        Raises:
            ModelRefused: the artefact is larger.
        """
        ...

    def tag(self, version: RegisteredVersion, key: str, value: str) -> None:
        """Set a tag on the version, where data scientists see it."""
        ...

    def untag(self, version: RegisteredVersion, key: str) -> None:
        """Remove a tag that the version has."""
        ...

"""What a registry client offers, and the values it returns."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from scoring.errors import SentinelError


class RegistryUnavailable(SentinelError):
    """MLflow did not answer, or answered with an error of its own."""

    status = 503
    code = "registry-unavailable"
    title = "The model registry is unavailable"


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """A model version as the registry names it; equal whatever its tags are.

    Attributes:
        name: registered model. version: its number.
        created_ms: when it was registered (Unix ms); tells versions apart that bear the same
            number because the registered model was deleted and made anew, or the server is another.
        tags: all of them by `resolve` and `find`; by `aliases` at least CANARY_TAG of a challenger.
    """

    name: str
    version: int
    created_ms: int
    tags: Mapping[str, str] = field(default_factory=dict, compare=False)


class RegistryReader(Protocol):
    """What serving asks of the registry, from any thread. Every method raises RegistryUnavailable.

    `RestClient` and `SqlClient` give the same answers.
    """

    def aliases(self, names: Collection[str]) -> dict[str, dict[str, RegisteredVersion]]:
        """Return what is under `production` and `challenger` of each registered model.

        Returns:
            Each name, with the aliases that exist; a model that does not exist has none.
        """
        ...

    def resolve(self, name: str, alias: str) -> RegisteredVersion | None:
        """Return the version under an alias, or None when model or alias do not exist."""
        ...

    def find(self, name: str, version: int) -> RegisteredVersion | None:
        """Return a version by its number, or None when it does not exist."""
        ...

    def download(self, version: RegisteredVersion, path: str, to: Path, max_bytes: int) -> bool:
        """Write one of the version's artefacts to a file; False when the version lacks it.

        Args:
            version: whose. path: from the root of its artefacts. to: the file to write.
            max_bytes: how large it may be.

        Raises:
            ModelRefused: it is larger.
        """
        ...

    def tag(self, version: RegisteredVersion, key: str, value: str) -> None:
        """Set a tag on the version, where data scientists see it."""
        ...

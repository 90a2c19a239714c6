"""A model store that follows the aliases of MLflow, and what it has reported."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from registry.client.base import RegisteredVersion
from registry.store.model_store import ModelStore, Versions


@dataclass
class Following:
    """A model store and its reports: the refused versions with the reasons, the evictions."""

    model_store: ModelStore
    root: Path
    refusals: list[tuple[RegisteredVersion, str]] = field(default_factory=list)
    evictions: list[int] = field(default_factory=list)

    def read_aliases(self, name: str) -> Versions:
        """Look at one name."""
        return self.model_store.read_aliases([name])[name]

    def production(self, name: str) -> int | None:
        """The number of the production version that should serve now."""
        aliases = self.read_aliases(name).production
        return aliases.version if aliases else None

    def challenger(self, name: str) -> int | None:
        """The number of the challenger that should be tried now."""
        aliases = self.read_aliases(name).challenger
        return aliases.version if aliases else None

    def versions_on_disk(self, name: str) -> set[str]:
        """The versions of a name that lie on disk, by number."""
        return {path.name.split("-")[0] for path in (self.root / name).iterdir() if path.is_dir()}


class Follow(Protocol):
    """A factory of model stores; the same `root` is the same folder on disk."""

    def __call__(
        self, uri: str | None = None, *, root: Path | None = None, max_models: int = 64
    ) -> Following: ...

"""Follow the aliases of registered models, and serve only versions that passed every check.

    read_aliases(names) → the versions that should serve now, by registered model (AliasFollower)
    resident(v)         → its model if it is in memory, without any I/O           (the event loop)
    load(v)             → its model from memory, disk or MLflow                   (worker threads)

`read_aliases` returns only versions that passed every check: files, signature, features, golden
rows. It sends MLflow one request a hundred names, and downloads each new version.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from registry.client.aliases import FOLLOWED
from registry.client.base import RegisteredVersion, RegistryReader, RegistryUnavailable
from registry.names import CHALLENGER, PRODUCTION, REFUSED_TAG
from registry.store.disk_cache import DiskCache
from registry.store.memory_cache import MemoryCache
from registry.store.model_loader import ModelLoader
from scoring.errors import ModelRefused
from scoring.model.fraud_model import FraudModel

logger = logging.getLogger("sentinel.registry")

MODELS_IN_MEMORY = 64
_LOADS_AT_ONCE = 4
_ROLE = {PRODUCTION: "in production", CHALLENGER: "the challenger"}


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions of one registered model that should serve now; each has passed its checks.

    Attributes:
        production: version that decides; None without the alias, and while every version that had
            it was refused.
        challenger: version that is compared with it; None without the alias, when it was refused,
            and when it is the production version itself. Its tags are those read last.
    """

    production: RegisteredVersion | None = None
    challenger: RegisteredVersion | None = None


class ModelStore:
    """Follows the aliases of registered models; every method may be called from any thread.

    Args:
        reader: client of the registry.
        root: directory of the versions on disk; processes may share it.
        max_models: number of different models that stay in memory, >= 1; registered versions with
            the same files are one model.
        on_refusal: function that is called with each version that failed a check and the reason,
            once a version; must not raise.
        on_eviction: function that is called for each model that is evicted from memory; must not
            raise.
    """

    def __init__(
        self,
        reader: RegistryReader,
        root: Path,
        *,
        max_models: int = MODELS_IN_MEMORY,
        on_refusal: Callable[[RegisteredVersion, str], None] = lambda _version, _reason: None,
        on_eviction: Callable[[], None] = lambda: None,
    ) -> None:
        self._reader = reader
        self._disk = DiskCache(reader, root)
        self._loader = ModelLoader(self._disk, MemoryCache(max_models, on_eviction))
        self._on_refusal = on_refusal
        self._serving: dict[tuple[str, str], RegisteredVersion] = {}
        self._refused: dict[RegisteredVersion, str] = {}
        self._waiting: dict[RegisteredVersion, str] = {}
        self._untagged: set[RegisteredVersion] = set()
        self._is_unavailable = False
        self._reading = threading.Lock()

    def read_aliases(self, names: Collection[str]) -> dict[str, Versions]:
        """Return the versions that should serve now under each name; load and check the new ones.

        When a version is refused, the previous one stays in production; the refused one is not
        tried again while an alias is on it. While MLflow is unavailable nothing changes; a process
        that starts then serves the versions that last served on this disk.
        """
        with self._reading:
            try:
                aliases = self._reader.aliases(names)
            except RegistryUnavailable as error:
                self._serve_remembered(names, error)
            else:
                self._follow(aliases)
            return {name: self._versions(name) for name in names}

    def resident(self, version: RegisteredVersion) -> FraudModel | None:
        """Return the version's model, or None if it is not in memory; counts as a use, no I/O."""
        return self._loader.resident(version)

    def load(self, version: RegisteredVersion) -> FraudModel:
        """Return the version's model: from memory, else verified from disk or MLflow.

        Raises:
            ModelRefused: the version failed a check.
            RegistryUnavailable: MLflow did not return it.
        """
        return self._loader.load(version)

    @property
    def models_in_memory(self) -> int:
        """Return the number of different models in memory."""
        return self._loader.models_in_memory

    @property
    def is_unavailable(self) -> bool:
        """Whether MLflow did not answer the last read of the aliases."""
        return self._is_unavailable

    def _follow(self, aliases: Mapping[str, Mapping[str, RegisteredVersion]]) -> None:
        if self._is_unavailable:
            self._is_unavailable = False
            logger.info("MLflow is available again")
        aliased = {version for by_alias in aliases.values() for version in by_alias.values()}
        self._refused = {v: reason for v, reason in self._refused.items() if v in aliased}
        usable = set(self._serving.values())
        usable |= self._check(aliased - usable - self._refused.keys())
        self._tag_refused()
        for name, by_alias in aliases.items():
            for alias in FOLLOWED:
                self._assign(name, alias, by_alias.get(alias), usable)

    def _assign(
        self,
        name: str,
        alias: str,
        aliased: RegisteredVersion | None,
        usable: Set[RegisteredVersion],
    ) -> None:
        before = self._serving.get((name, alias))
        if aliased is None or (alias == CHALLENGER and aliased in self._refused):
            self._serving.pop((name, alias), None)
            self._disk.remember(name, alias, None)
        elif aliased in usable:
            self._serving[name, alias] = aliased
            if before != aliased:
                logger.info("%s is %s", aliased, _ROLE[alias])
            if before is None or before != aliased or before.tags != aliased.tags:
                self._disk.remember(name, alias, aliased)
        elif before is None:
            self._restore(name, alias)

    def _serve_remembered(self, names: Iterable[str], error: RegistryUnavailable) -> None:
        if not self._is_unavailable:
            self._is_unavailable = True
            logger.warning("%s; the versions that serve stay until MLflow is available", error)
        for name in names:
            for alias in FOLLOWED:
                if (name, alias) not in self._serving:
                    self._restore(name, alias)

    def _restore(self, name: str, alias: str) -> None:
        """Serve the version that last served under the alias on this disk, if there is one."""
        version = self._disk.remembered(name, alias)
        if version is not None and version not in self._refused and self._check({version}):
            logger.warning("%s is %s, restored from this disk", version, _ROLE[alias])
            self._serving[name, alias] = version

    def _check(self, versions: Set[RegisteredVersion]) -> set[RegisteredVersion]:
        """Load and check versions; return those that may serve, and record the refused ones."""
        if len(versions) == 1:
            errors = [(version, self._load_error(version)) for version in versions]
        else:
            with ThreadPoolExecutor(_LOADS_AT_ONCE) as pool:
                errors = list(zip(versions, pool.map(self._load_error, versions), strict=True))
        for version, error in errors:
            if isinstance(error, ModelRefused):
                self._refuse(version, error.detail)
            elif error is not None and self._waiting.get(version) != str(error):
                logger.warning("%s cannot be loaded yet: %s", version, error)
                self._waiting[version] = str(error)
            elif error is None:
                self._waiting.pop(version, None)
        return {version for version, error in errors if error is None}

    def _load_error(self, version: RegisteredVersion) -> Exception | None:
        try:
            self.load(version)
        except (ModelRefused, RegistryUnavailable, OSError) as error:
            return error
        except Exception as error:
            # One tenant's faulty files must not keep other tenants' models from being updated.
            logger.exception("%s failed with an unexpected error", version)
            return ModelRefused(f"it does not load: {type(error).__name__}: {error}")
        return None

    def _refuse(self, version: RegisteredVersion, reason: str) -> None:
        logger.error("%s is refused: %s", version, reason)
        self._refused[version] = reason
        self._untagged.add(version)
        self._on_refusal(version, reason)

    def _tag_refused(self) -> None:
        """Tag refused versions in MLflow with the reason; the next call sets a tag that failed."""
        self._untagged &= self._refused.keys()
        for version in list(self._untagged):
            with suppress(RegistryUnavailable):
                self._reader.tag(version, REFUSED_TAG, self._refused[version])
                self._untagged.discard(version)

    def _versions(self, name: str) -> Versions:
        production = self._serving.get((name, PRODUCTION))
        challenger = self._serving.get((name, CHALLENGER))
        return Versions(production, None if challenger == production else challenger)

"""Follow the aliases of registered models, and serve only versions that passed every check.

    look(names)  → the versions that should serve now, by registered model   (the follower)
    resident(v)  → its model if it is in memory, without any I/O             (the event loop)
    load(v)      → its model from memory, disk or MLflow                     (any worker thread)

A look never returns a version that has not passed every check: files, signature, features, golden
rows. It costs MLflow one request a hundred names, and a download for each version that is new.
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
        production: decides; None when the alias is gone, or nothing good was ever under it.
        challenger: is tried beside it; None without the alias, when refused, and when it is the
            production version itself. Its tags are as of the last look.
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
        on_refusal: called once for each version that failed a check, with the reason; must not
            raise.
        on_eviction: called for each model that leaves memory because it is full; must not raise.
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
        self._is_away = False
        self._looking = threading.Lock()

    def look(self, names: Collection[str]) -> dict[str, Versions]:
        """Return what should serve now under each name; loads what is new, refuses what is bad.

        A refused version leaves the one before it in production, and is not tried again while an
        alias is on it. While MLflow is away nothing changes; at the start, it is what served last
        on this disk.
        """
        with self._looking:
            try:
                wanted = self._reader.aliases(names)
            except RegistryUnavailable as error:
                self._serve_remembered(names, error)
            else:
                self._follow(wanted)
            return {name: self._versions(name) for name in names}

    def resident(self, version: RegisteredVersion) -> FraudModel | None:
        """Return the version's model if it is in memory, which counts as a use; no I/O."""
        return self._loader.resident(version)

    def load(self, version: RegisteredVersion) -> FraudModel:
        """Return the version's model: from memory, else verified from disk or MLflow.

        Raises:
            ModelRefused: the version failed a check.
            RegistryUnavailable: MLflow did not deliver it.
        """
        return self._loader.load(version)

    @property
    def models_in_memory(self) -> int:
        """How many different models are in memory now."""
        return self._loader.models_in_memory

    def _follow(self, wanted: Mapping[str, Mapping[str, RegisteredVersion]]) -> None:
        if self._is_away:
            self._is_away = False
            logger.info("MLflow answers again")
        under_alias = {version for aliases in wanted.values() for version in aliases.values()}
        self._refused = {v: reason for v, reason in self._refused.items() if v in under_alias}
        good = set(self._serving.values())
        good |= self._check(under_alias - good - self._refused.keys())
        self._tag_refused()
        for name, aliases in wanted.items():
            for alias in FOLLOWED:
                self._assign(name, alias, aliases.get(alias), good)

    def _assign(
        self, name: str, alias: str, wanted: RegisteredVersion | None, good: Set[RegisteredVersion]
    ) -> None:
        before = self._serving.get((name, alias))
        if wanted is None or (alias == CHALLENGER and wanted in self._refused):
            self._serving.pop((name, alias), None)
            self._disk.remember(name, alias, None)
        elif wanted in good:
            self._serving[name, alias] = wanted
            if before != wanted:
                logger.info("%s is %s", wanted, _ROLE[alias])
            if before is None or before != wanted or before.tags != wanted.tags:
                self._disk.remember(name, alias, wanted)
        elif before is None:
            self._recall(name, alias)

    def _serve_remembered(self, names: Iterable[str], error: RegistryUnavailable) -> None:
        if not self._is_away:
            self._is_away = True
            logger.warning("%s; nothing changes until it does", error)
        for name in names:
            for alias in FOLLOWED:
                if (name, alias) not in self._serving:
                    self._recall(name, alias)

    def _recall(self, name: str, alias: str) -> None:
        """Serve the version that last served under the alias on this disk, if there is one."""
        version = self._disk.remembered(name, alias)
        if version is not None and version not in self._refused and self._check({version}):
            logger.warning("%s is %s, as it last was on this disk", version, _ROLE[alias])
            self._serving[name, alias] = version

    def _check(self, versions: Set[RegisteredVersion]) -> set[RegisteredVersion]:
        """Load versions that are new, and return those that may serve; refuses the bad ones."""
        if len(versions) == 1:
            troubles = [(version, self._trouble(version)) for version in versions]
        else:
            with ThreadPoolExecutor(_LOADS_AT_ONCE) as pool:
                troubles = list(zip(versions, pool.map(self._trouble, versions), strict=True))
        for version, trouble in troubles:
            if isinstance(trouble, ModelRefused):
                self._refuse(version, trouble.detail)
            elif trouble is not None and self._waiting.get(version) != str(trouble):
                logger.warning("%s has to wait: %s", version, trouble)
                self._waiting[version] = str(trouble)
            elif trouble is None:
                self._waiting.pop(version, None)
        return {version for version, trouble in troubles if trouble is None}

    def _trouble(self, version: RegisteredVersion) -> Exception | None:
        try:
            self.load(version)
        except (ModelRefused, RegistryUnavailable, OSError) as error:
            return error
        except Exception as error:
            # One tenant's strange files must not keep the others from being followed.
            logger.exception("%s failed in a way that was not foreseen", version)
            return ModelRefused(f"it does not load: {type(error).__name__}: {error}")
        return None

    def _refuse(self, version: RegisteredVersion, reason: str) -> None:
        logger.error("%s is refused: %s", version, reason)
        self._refused[version] = reason
        self._untagged.add(version)
        self._on_refusal(version, reason)

    def _tag_refused(self) -> None:
        """Tag refused versions in MLflow with the reason; a failed tag is set at the next look."""
        self._untagged &= self._refused.keys()
        for version in list(self._untagged):
            with suppress(RegistryUnavailable):
                self._reader.tag(version, REFUSED_TAG, self._refused[version])
                self._untagged.discard(version)

    def _versions(self, name: str) -> Versions:
        production = self._serving.get((name, PRODUCTION))
        challenger = self._serving.get((name, CHALLENGER))
        return Versions(production, None if challenger == production else challenger)

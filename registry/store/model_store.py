"""The model_store: which versions should serve, and their models, verified before they may.

    look(names)  → the versions that should serve now, by registered model   (the follower)
    resident(v)  → its model if it is in memory, without any I/O             (the event loop)
    load(v)      → its model from memory, disk or MLflow                     (any worker thread)

A look never names a version that has not passed every check: files, signature, features, golden
rows. It costs MLflow one request a hundred names, and a download for each version that is new.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakValueDictionary

from registry.client.aliases import FOLLOWED
from registry.client.base import RegisteredVersion, RegistryReader, RegistryUnavailable
from registry.names import CHALLENGER, MLMODEL, PRODUCTION, REFUSED_TAG
from registry.store.disk_cache import DiskCache, digest
from registry.store.memory_cache import MemoryCache
from registry.verify.booster_file import check_booster
from registry.verify.signature import check_signature
from scoring.errors import ModelRefused
from scoring.model.fraud_model import FraudModel

logger = logging.getLogger("sentinel.registry")

MODELS_IN_MEMORY = 64
_LOADS_AT_ONCE = 4
_PLACE = {PRODUCTION: "in production", CHALLENGER: "the challenger"}


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
        reader: asks MLflow.
        root: where versions are kept on disk; processes may share it.
        max_models: how many different models stay in memory, >= 1; registered versions with the
            same files are one model.
        on_refusal: told once of each version that failed a check, and why; must not raise.
        on_eviction: told of each model that left memory for want of room; must not raise.
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
        self._memory = MemoryCache(max_models, on_eviction)
        self._on_refusal = on_refusal
        self._serving: dict[tuple[str, str], RegisteredVersion] = {}
        self._refused: dict[RegisteredVersion, str] = {}
        self._waiting: dict[RegisteredVersion, str] = {}
        self._untagged: set[RegisteredVersion] = set()
        self._is_away = False
        self._looking = threading.Lock()
        self._guard = threading.Lock()
        self._locks: WeakValueDictionary[Hashable, threading.Lock] = WeakValueDictionary()

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
        return self._memory.find(version)

    def load(self, version: RegisteredVersion) -> FraudModel:
        """Return the version's model: from memory, else verified from disk or MLflow.

        Raises:
            ModelRefused: it failed a check. RegistryUnavailable: MLflow did not deliver.
        """
        if (model := self._memory.find(version)) is not None:
            return model
        with self._alone(version):
            if (folder := self._disk.find(version)) is not None:
                try:
                    return self._verified(version, folder)
                except ModelRefused as error:
                    # A damaged copy, or one that an older release made; MLflow has the original.
                    logger.warning("%s on disk is not usable: %s", _told(version), error.detail)
                    self._disk.discard(version)
            folder = self._disk.fetch(version)
            try:
                model = self._verified(version, folder)
            except ModelRefused:
                self._disk.discard(version)
                raise
            self._disk.prune(version.name)
            return model

    @property
    def models_in_memory(self) -> int:
        """How many different models are in memory now."""
        return len(self._memory)

    def _verified(self, version: RegisteredVersion, folder: Path) -> FraudModel:
        check_signature(folder / MLMODEL)
        content = digest(folder)
        with self._alone(content):
            shared = self._memory.share(content, version)
            if shared is not None:
                return shared
            check_booster(folder / "booster.txt")
            return self._memory.add(content, version, FraudModel.load(folder))

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
                logger.info("%s is %s", _told(wanted), _PLACE[alias])
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
        """Serve what served under the alias when this disk was last in use, if anything did."""
        version = self._disk.remembered(name, alias)
        if version is not None and version not in self._refused and self._check({version}):
            logger.warning("%s is %s, as it last was on this disk", _told(version), _PLACE[alias])
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
                logger.warning("%s has to wait: %s", _told(version), trouble)
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
            logger.exception("%s failed in a way that was not foreseen", _told(version))
            return ModelRefused(f"it does not load: {type(error).__name__}: {error}")
        return None

    def _refuse(self, version: RegisteredVersion, reason: str) -> None:
        logger.error("%s is refused: %s", _told(version), reason)
        self._refused[version] = reason
        self._untagged.add(version)
        self._on_refusal(version, reason)

    def _tag_refused(self) -> None:
        """Say in MLflow what was refused and why; what fails is tried again at the next look."""
        self._untagged &= self._refused.keys()
        for version in list(self._untagged):
            with suppress(RegistryUnavailable):
                self._reader.tag(version, REFUSED_TAG, self._refused[version])
                self._untagged.discard(version)

    def _versions(self, name: str) -> Versions:
        production = self._serving.get((name, PRODUCTION))
        challenger = self._serving.get((name, CHALLENGER))
        return Versions(production, None if challenger == production else challenger)

    @contextmanager
    def _alone(self, key: Hashable) -> Iterator[None]:
        """Let one thread at a time work on a version, or on a model's content."""
        with self._guard:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            yield


def _told(version: RegisteredVersion) -> str:
    return f"{version.name} version {version.version}"

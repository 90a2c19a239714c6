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
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from registry.client.aliases import FOLLOWED
from registry.client.base import (
    AliasesOfName,
    RegisteredVersion,
    RegistryReader,
    RegistryUnavailable,
)
from registry.names import CHALLENGER, PRODUCTION, REFUSED_TAG
from registry.store.background_loads import BackgroundLoads
from registry.store.disk_cache import DiskCache, reason_of
from registry.store.memory_cache import MemoryCache
from registry.store.model_loader import ModelLoader
from scoring.errors import ModelRefused
from scoring.feature_set.model_features import ModelFeatures
from scoring.model.fraud_model import FraudModel

logger = logging.getLogger("sentinel.registry")

MODELS_IN_MEMORY = 64
MAX_REASON = 500


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
        self._untagged: set[RegisteredVersion] = set()
        self._stored: dict[tuple[str, str], RegisteredVersion] = {}
        self._features: dict[RegisteredVersion, ModelFeatures] = {}
        self._faults: dict[str, str] = {}
        self._unavailable: str | None = None
        self._restoring: set[RegisteredVersion] = set()
        self._loads = BackgroundLoads(self._load_error)
        self._reading = threading.Lock()

    def read_aliases(self, names: Collection[str]) -> dict[str, Versions]:
        """Return the versions that should serve now under each name; load and check the new ones.

        When a version is refused, the previous one stays in production; the refused one is not
        tried again while an alias is on it. A fault of one name leaves the others alone, see
        `faults`. While MLflow is unavailable nothing changes; a process that starts then serves the
        versions that last served on this disk.
        """
        with self._reading:
            self._faults = {}
            try:
                aliases = self._reader.aliases(names)
            except RegistryUnavailable as error:
                self._serve_remembered(names, error)
            else:
                self._follow(aliases)
            serving = set(self._serving.values())
            for version in self._features.keys() - serving:
                self._features.pop(version, None)
            return {name: self._versions(name) for name in names}

    @property
    def faults(self) -> Mapping[str, str]:
        """The names that the latest `read_aliases` could not follow, and the reason of each."""
        return self._faults

    @property
    def unavailable(self) -> str | None:
        """The reason why MLflow is unavailable, or None."""
        return self._unavailable

    def resident(self, version: RegisteredVersion) -> FraudModel | None:
        """Return the version's model, or None if it is not in memory; counts as a use, no I/O."""
        return self._loader.resident(version)

    def loaded(self, name: str, number: int) -> FraudModel | None:
        """Return the model of a version by its number, or None if it is not in memory.

        It counts as no use and reads no disk, so that a page that asks for old versions evicts
        none that decides payments.
        """
        return self._loader.loaded(name, number)

    def load(self, version: RegisteredVersion) -> FraudModel:
        """Return the version's model: from memory, else verified from disk or MLflow.

        Raises:
            ModelRefused: the version failed a check.
            RegistryUnavailable: MLflow did not return it.
            OSError: the disk does not take it.
        """
        model = self._loader.load(version)
        self._features[version] = model.features
        return model

    def features(self, version: RegisteredVersion) -> ModelFeatures:
        """Return the features of a version's model, also after it was evicted from memory.

        Raises:
            ModelRefused, RegistryUnavailable, OSError: as of `load`.
        """
        known = self._features.get(version)
        return self.load(version).features if known is None else known

    def find(self, name: str, version: int) -> RegisteredVersion | None:
        """Return a version by its number, or None where MLflow does not have it.

        Raises:
            RegistryUnavailable: MLflow did not return it.
        """
        return self._reader.find(name, version)

    def mark_refused(self, version: RegisteredVersion, reason: str) -> None:
        """Put on a version in MLflow why it does not serve.

        Raises:
            RegistryUnavailable: MLflow does not take it.
        """
        self._reader.tag(version, REFUSED_TAG, _printable(reason))

    def unmark_refused(self, version: RegisteredVersion, beginning: str) -> None:
        """Remove a reason from a version in MLflow, if it begins with a text.

        Raises:
            RegistryUnavailable: MLflow does not return the version, or does not remove it.
        """
        found = self._reader.find(version.name, version.version)
        if found is not None and found.tags.get(REFUSED_TAG, "").startswith(beginning):
            self._reader.untag(version, REFUSED_TAG)

    @property
    def models_in_memory(self) -> int:
        """Return the number of different models in memory."""
        return self._loader.models_in_memory

    def _follow(self, aliases: Mapping[str, AliasesOfName]) -> None:
        if self._unavailable is not None:
            self._unavailable = None
            logger.info("MLflow is available again")
        readable: dict[str, Mapping[str, RegisteredVersion]] = {}
        for name, by_alias in aliases.items():
            if isinstance(by_alias, RegistryUnavailable):
                self._fault(name, str(by_alias))
                with self._own_fault(name):
                    self._restore_missing(name)
            else:
                readable[name] = by_alias
        aliased = {version for by_alias in readable.values() for version in by_alias.values()}
        unreadable = aliases.keys() - readable.keys()
        self._refused = {
            version: reason
            for version, reason in self._refused.items()
            if version in aliased or version.name in unreadable
        }
        usable = set(self._serving.values())
        self._loads.forget_all_but(aliased | self._restoring)
        self._restoring = set()
        usable |= self._check(aliased - usable - self._refused.keys())
        self._tag_refused()
        for name, by_alias in readable.items():
            for alias in FOLLOWED:
                with self._own_fault(name):
                    self._assign(name, alias, by_alias.get(alias), usable)

    def _assign(
        self,
        name: str,
        alias: str,
        aliased: RegisteredVersion | None,
        usable: Set[RegisteredVersion],
    ) -> None:
        before = self._serving.get((name, alias))
        if aliased is not None and aliased in self._refused:
            self._fault(name, f"version {aliased.version} is refused: {self._refused[aliased]}")
        if aliased is None or (alias == CHALLENGER and aliased in self._refused):
            self._serving.pop((name, alias), None)
            self._stored.pop((name, alias), None)
            self._disk.remember(name, alias, None)
        elif aliased in usable:
            self._serving[name, alias] = aliased
            if before != aliased:
                logger.info("%s has the alias %s", aliased, alias)
            self._remember(name, alias, aliased)
        elif before is None:
            self._restore(name, alias)

    def _remember(self, name: str, alias: str, version: RegisteredVersion) -> None:
        """Store the version that serves unless it is stored already, with the same tags."""
        stored = self._stored.get((name, alias))
        if stored is None or stored != version or stored.tags != version.tags:
            self._disk.remember(name, alias, version)
            self._stored[name, alias] = version

    def _serve_remembered(self, names: Iterable[str], error: RegistryUnavailable) -> None:
        if self._unavailable is None:
            logger.warning("%s; the versions that serve stay until MLflow is available", error)
        self._unavailable = str(error)
        for name in names:
            with self._own_fault(name):
                self._restore_missing(name)

    def _restore_missing(self, name: str) -> None:
        for alias in FOLLOWED:
            if (name, alias) not in self._serving:
                self._restore(name, alias)

    def _restore(self, name: str, alias: str) -> None:
        """Serve the version that last served under the alias on this disk, if there is one."""
        version = self._disk.remembered(name, alias)
        if version is None or version in self._refused:
            return
        self._restoring.add(version)
        if self._check({version}):
            logger.warning("%s has the alias %s, restored from this disk", version, alias)
            self._serving[name, alias] = version
        elif version in self._refused:
            self._disk.remember(name, alias, None)

    @contextmanager
    def _own_fault(self, name: str) -> Iterator[None]:
        """Record an error as a fault of a name."""
        try:
            yield
        except OSError as error:
            self._fault(name, f"the model cache does not work: {reason_of(error)}")
        except Exception as error:
            logger.exception("%s failed with an unexpected error", name)
            self._fault(name, f"an unexpected error: {type(error).__name__}")

    def _fault(self, name: str, reason: str) -> None:
        self._faults.setdefault(name, reason)

    def _check(self, versions: Set[RegisteredVersion]) -> set[RegisteredVersion]:
        """Load and check versions; return those that may serve, and record the refused ones."""
        usable = set()
        for version, error in self._loads.results(versions).items():
            if isinstance(error, ModelRefused):
                self._refuse(version, error.detail)
            elif error is not None:
                reason = reason_of(error) if isinstance(error, OSError) else str(error)
                self._fault(version.name, f"version {version.version} does not load yet: {reason}")
            else:
                usable.add(version)
        return usable

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
        reason = _printable(reason)
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


def _printable(reason: str) -> str:
    """Return a reason that Postgres, MLflow and the log can store: one line without controls."""
    line = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in reason)
    return line if len(line) <= MAX_REASON else f"{line[:MAX_REASON]}..."

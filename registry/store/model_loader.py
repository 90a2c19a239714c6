"""Load a version's model from memory, disk or MLflow, and verify it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from weakref import WeakValueDictionary

from registry.client.base import RegisteredVersion
from registry.names import MLMODEL
from registry.store.disk_cache import DiskCache, digest
from registry.store.memory_cache import MemoryCache
from registry.verify.booster_file import check_booster
from registry.verify.signature import check_signature
from scoring.errors import ModelRefused
from scoring.model.fraud_model import FraudModel

logger = logging.getLogger("sentinel.registry")


class ModelLoader:
    """Loads each version once, also when several threads need it at the same time.

    Args:
        disk: cache of the versions that this machine has downloaded.
        memory: cache of the loaded models.
    """

    def __init__(self, disk: DiskCache, memory: MemoryCache) -> None:
        self._disk = disk
        self._memory = memory
        self._guard = threading.Lock()
        self._locks: WeakValueDictionary[Hashable, threading.Lock] = WeakValueDictionary()

    def resident(self, version: RegisteredVersion) -> FraudModel | None:
        """Return the version's model, or None if it is not in memory; counts as a use, no I/O."""
        return self._memory.find(version)

    def load(self, version: RegisteredVersion) -> FraudModel:
        """Return the version's model: from memory, else verified from disk or MLflow.

        Raises:
            ModelRefused: the version failed a check.
            RegistryUnavailable: MLflow did not return it.
            OSError: the disk does not take it.
        """
        if (model := self._memory.find(version)) is not None:
            return model
        with self._lock_of(version):
            if (folder := self._disk.find(version)) is not None:
                try:
                    return self._verified(version, folder)
                except ModelRefused as error:
                    # The copy is damaged, or of an older release; MLflow has the original.
                    logger.warning("%s on disk is not usable: %s", version, error.detail)
                    self._disk.discard(version)
            folder = self._disk.fetch(version)
            try:
                model = self._verified(version, folder)
            except ModelRefused:
                self._disk.discard(version)
                raise
            try:
                self._disk.prune(version.name)
            except OSError as error:
                logger.warning("old versions of %s stay on disk: %s", version.name, error)
            return model

    @property
    def models_in_memory(self) -> int:
        """Return the number of different models in memory."""
        return len(self._memory)

    def _verified(self, version: RegisteredVersion, folder: Path) -> FraudModel:
        model_digest = digest(folder)
        self._disk.check_digest(folder, model_digest)
        model = self._loaded(version, folder, model_digest)
        self._disk.record_digest(folder, model_digest)
        return model

    def _loaded(self, version: RegisteredVersion, folder: Path, model_digest: str) -> FraudModel:
        with self._lock_of(model_digest):
            shared = self._memory.share(model_digest, version)
            if shared is not None:
                check_signature(folder / MLMODEL, shared.features.event_type)
                return shared
            check_booster(folder / "booster.txt")
            model = FraudModel.load(folder)
            check_signature(folder / MLMODEL, model.features.event_type)
            return self._memory.add(model_digest, version, model)

    @contextmanager
    def _lock_of(self, key: Hashable) -> Iterator[None]:
        """Hold the lock of a version or of a model's digest."""
        with self._guard:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            yield

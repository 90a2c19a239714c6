"""Models in memory: those used last, each once, also when several versions have its files."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from registry.client.base import RegisteredVersion
from scoring.model.fraud_model import FraudModel
from scoring.prediction import ModelVersion


@dataclass(frozen=True, slots=True)
class _Resident:
    """A model in memory, and the same model by each version that has its files."""

    model: FraudModel
    versions: dict[RegisteredVersion, FraudModel] = field(default_factory=dict)


class MemoryCache:
    """A least-recently-used cache of verified models by the digest of their files; thread-safe.

    Args:
        max_models: number of different models that it holds, >= 1.
        on_eviction: function that is called, outside the lock, for each evicted model.
    """

    def __init__(self, max_models: int, on_eviction: Callable[[], None]) -> None:
        if max_models < 1:
            raise ValueError("max_models must be at least 1")
        self._max_models = max_models
        self._on_eviction = on_eviction
        self._lock = threading.Lock()
        self._residents: OrderedDict[str, _Resident] = OrderedDict()
        self._digests: dict[RegisteredVersion, str] = {}

    def __len__(self) -> int:
        return len(self._residents)

    def find(self, version: RegisteredVersion) -> FraudModel | None:
        """Return the version's model, or None if it is not in memory; counts as a use."""
        with self._lock:
            digest = self._digests.get(version)
            if digest is None:
                return None
            self._residents.move_to_end(digest)
            return self._residents[digest].versions[version]

    def find_number(self, name: str, number: int) -> FraudModel | None:
        """Return the model of a version by its number, or None; counts as no use.

        Of versions with the same number, the one that was registered last is returned.
        """
        with self._lock:
            found = [v for v in self._digests if (v.name, v.version) == (name, number)]
            if not found:
                return None
            version = max(found, key=lambda one: one.created_ms)
            return self._residents[self._digests[version]].versions[version]

    def share(self, digest: str, version: RegisteredVersion) -> FraudModel | None:
        """Return the model with this digest under a further version, or None if it is absent."""
        with self._lock:
            resident = self._residents.get(digest)
            return None if resident is None else self._model_as(digest, resident, version)

    def add(self, digest: str, version: RegisteredVersion, model: FraudModel) -> FraudModel:
        """Add a model, and evict the least recently used ones beyond `max_models`."""
        evictions = 0
        with self._lock:
            resident = self._residents.setdefault(digest, _Resident(model))
            versioned = self._model_as(digest, resident, version)
            while len(self._residents) > self._max_models:
                _, evicted = self._residents.popitem(last=False)
                for evicted_version in evicted.versions:
                    del self._digests[evicted_version]
                evictions += 1
        for _ in range(evictions):
            self._on_eviction()
        return versioned

    def _model_as(self, digest: str, resident: _Resident, version: RegisteredVersion) -> FraudModel:
        self._residents.move_to_end(digest)
        self._digests[version] = digest
        if version not in resident.versions:
            served_as = ModelVersion(version.name, version.version)
            resident.versions[version] = replace(resident.model, version=served_as)
        return resident.versions[version]

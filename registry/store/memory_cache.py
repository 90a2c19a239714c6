"""Models in memory: those used lately, each once, however many registered versions it is."""

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
    """A model, and the same model under the names of the versions that it is."""

    model: FraudModel
    versions: dict[RegisteredVersion, FraudModel] = field(default_factory=dict)


class MemoryCache:
    """A least-recently-used cache of verified models by the digest of their files; thread-safe.

    Args:
        max_models: how many different models it holds, >= 1.
        on_eviction: called, outside the lock, for each model that is evicted.
    """

    def __init__(self, max_models: int, on_eviction: Callable[[], None]) -> None:
        if max_models < 1:
            raise ValueError("max_models has to be at least 1")
        self._max_models = max_models
        self._on_eviction = on_eviction
        self._lock = threading.Lock()
        self._residents: OrderedDict[str, _Resident] = OrderedDict()
        self._digests: dict[RegisteredVersion, str] = {}

    def __len__(self) -> int:
        return len(self._residents)

    def find(self, version: RegisteredVersion) -> FraudModel | None:
        """Return the version's model if it is here, which counts as a use."""
        with self._lock:
            digest = self._digests.get(version)
            if digest is None:
                return None
            self._residents.move_to_end(digest)
            return self._residents[digest].versions[version]

    def share(self, digest: str, version: RegisteredVersion) -> FraudModel | None:
        """Return the model with this content as the version, if it is here as another."""
        with self._lock:
            resident = self._residents.get(digest)
            return None if resident is None else self._name(digest, resident, version)

    def add(self, digest: str, version: RegisteredVersion, model: FraudModel) -> FraudModel:
        """Take a model in, and let go of those used least lately beyond `max_models`."""
        evicted = 0
        with self._lock:
            resident = self._residents.setdefault(digest, _Resident(model))
            named = self._name(digest, resident, version)
            while len(self._residents) > self._max_models:
                _, gone = self._residents.popitem(last=False)
                for its_version in gone.versions:
                    del self._digests[its_version]
                evicted += 1
        for _ in range(evicted):
            self._on_eviction()
        return named

    def _name(self, digest: str, resident: _Resident, version: RegisteredVersion) -> FraudModel:
        self._residents.move_to_end(digest)
        self._digests[version] = digest
        if version not in resident.versions:
            served_as = ModelVersion(version.name, version.version)
            resident.versions[version] = replace(resident.model, version=served_as)
        return resident.versions[version]

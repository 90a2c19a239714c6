"""Models in memory: shared by names and threads, evicted, verified again when they are reloaded."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient

from registry.client.base import RegisteredVersion, RegistryUnavailable
from registry.names import PRODUCTION
from tests.support.factories import a_model, feature_rows
from tests.support.registry.broken_versions import shift_golden
from tests.support.registry.followed_store import Follow
from tests.support.stack import Publish, publisher


def test_equal_files_under_two_names_are_one_model_in_memory(
    publish: Publish, follow: Follow, name: str
) -> None:
    names = [name, f"{name}-b"]
    for each in names:
        publish(each, a_model(4))
    following = follow()
    aliases = following.model_store.read_aliases(names)
    versions = [aliases[each].production for each in names]
    first, second = (following.model_store.load(version) for version in versions if version)
    assert first.booster is second.booster
    assert first.calibrator is second.calibrator
    assert first.policy is second.policy
    assert [m.version.name for m in (first, second) if m.version] == names
    assert following.model_store.models_in_memory == 1


def test_the_least_recently_used_model_is_evicted_and_reloaded_from_disk(
    publish: Publish, follow: Follow, away: str, name: str
) -> None:
    following = follow(max_models=2)
    names = [f"{name}-{number}" for number in range(3)]
    for number, each in enumerate(names):
        publish(each, a_model(number))
    versions = [following.read_aliases(each).production for each in names[:2]]
    assert versions[0] is not None
    assert following.model_store.resident(versions[0]) is not None
    versions.append(following.read_aliases(names[2]).production)
    first, second, third = (version for version in versions if version)
    assert following.model_store.resident(second) is None
    assert following.model_store.resident(first) is following.model_store.load(first)
    assert len(following.evictions) == 1
    following.model_store._disk._reader = follow(away).model_store._reader
    assert following.model_store.load(second).version is not None
    assert following.model_store.resident(third) is None
    assert following.model_store.models_in_memory == 2
    shutil.rmtree(following.root)
    with pytest.raises(RegistryUnavailable):
        following.model_store.load(third)


def test_an_evicted_model_is_verified_again_when_reloaded(
    publish: Publish, follow: Follow, away: str, name: str
) -> None:
    publish(name)
    following = follow(max_models=1)
    version = following.read_aliases(name).production
    assert version is not None
    publish(f"{name}-b", a_model(1))
    following.read_aliases(f"{name}-b")
    (golden,) = (following.root / name).glob("*/golden.json")
    shift_golden(golden.parent)
    following.model_store._disk._reader = follow(away).model_store._reader
    with pytest.raises(RegistryUnavailable):
        following.model_store.load(version)


def test_a_rollback_uses_the_model_in_memory(
    publish: Publish, follow: Follow, client: MlflowClient, name: str
) -> None:
    following = follow()
    for seed in (1, 2):
        publish(name, a_model(seed))
        following.read_aliases(name)
    client.set_registered_model_alias(name, PRODUCTION, "1")
    following.model_store._disk._reader = None  # type: ignore[assignment]
    began_s = time.perf_counter()
    version = following.read_aliases(name).production
    assert version is not None
    assert version.version == 1
    assert following.model_store.resident(version) is not None
    assert time.perf_counter() - began_s < 0.5


def test_many_threads_that_load_one_version_share_one_model(
    publish: Publish, follow: Follow, name: str
) -> None:
    publish(name)
    following = follow(max_models=1)
    version = following.model_store._reader.find(name, 1)
    assert version is not None
    loaded: list[object] = []
    together = threading.Barrier(8)

    def load(version: RegisteredVersion) -> None:
        together.wait()
        loaded.append(following.model_store.load(version))

    threads = [threading.Thread(target=load, args=[version]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loaded) == 8
    assert len({id(model) for model in loaded}) == 1
    assert following.evictions == []


def test_sixty_names_on_ten_models_stay_within_the_memory_limit(
    sqlite_registry: str, follow: Follow, name: str, tmp_path: Path
) -> None:
    publish = publisher(sqlite_registry, tmp_path)
    client = MlflowClient(sqlite_registry, registry_uri=sqlite_registry)
    store = client._get_registry_client().store
    names = [f"{name}-{number}" for number in range(60)]
    for number, each in enumerate(names):
        if number < 10:
            publish(each, a_model(number))
            continue
        same = client.get_model_version(names[number % 10], "1")
        store.create_registered_model(each)
        store.create_model_version(each, same.source, same.run_id)
        store.set_registered_model_alias(each, PRODUCTION, "1")
    following = follow(sqlite_registry, max_models=4)
    aliases = following.model_store.read_aliases(names)
    assert following.model_store.models_in_memory == 4
    assert len(following.evictions) >= 6
    rows = feature_rows(5)
    for number, each in enumerate(names):
        version = aliases[each].production
        assert version is not None
        model = following.model_store.load(version)
        assert model.version is not None
        assert model.version.name == each
        assert (model.margins(rows) == a_model(number % 10).margins(rows)).all()
        assert following.model_store.models_in_memory == 4

"""A page finds a version that is in memory by its number, and changes nothing by looking."""

from __future__ import annotations

from registry.client.base import RegisteredVersion
from registry.store.memory_cache import MemoryCache
from tests.support.factories import a_model


def test_a_version_is_found_by_name_and_number_or_not_at_all() -> None:
    memory = MemoryCache(2, lambda: None)
    memory.add("digest", RegisteredVersion("fraud-demo", 3, 1), a_model())
    found = memory.find_number("fraud-demo", 3)
    assert found is not None
    assert found.version is not None
    assert (found.version.name, found.version.version) == ("fraud-demo", 3)
    assert memory.find_number("fraud-demo", 2) is None
    assert memory.find_number("fraud-other", 3) is None


def test_of_two_registrations_under_one_number_the_later_one_is_found() -> None:
    memory = MemoryCache(2, lambda: None)
    later, earlier = a_model(1), a_model(0)
    memory.add("later", RegisteredVersion("fraud-demo", 3, 20), later)
    memory.add("earlier", RegisteredVersion("fraud-demo", 3, 10), earlier)
    found = memory.find_number("fraud-demo", 3)
    assert found is not None
    assert found.booster is later.booster


def test_to_look_a_version_up_keeps_no_model_from_being_evicted() -> None:
    memory = MemoryCache(2, lambda: None)
    for version in (1, 2):
        memory.add(str(version), RegisteredVersion("fraud-demo", version, 1), a_model())
    assert memory.find_number("fraud-demo", 1)
    memory.add("3", RegisteredVersion("fraud-demo", 3, 1), a_model())
    assert memory.find_number("fraud-demo", 1) is None
    assert memory.find_number("fraud-demo", 2)

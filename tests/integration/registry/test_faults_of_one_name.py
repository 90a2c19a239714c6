"""A fault of one registered model stays with it: the others follow their aliases as before."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from registry.client.base import RegistryUnavailable
from registry.client.factory import open_registry
from registry.names import CHALLENGER, PRODUCTION
from registry.store import model_store as model_store_module
from registry.store.background_loads import BackgroundLoads
from tests.support.factories import a_model
from tests.support.registry.followed_store import Follow, Following
from tests.support.registry.mlflow_gateway import Gateway, Reply, gateway
from tests.support.small_disk import needs_mount, small_disk
from tests.support.stack import Publish

Change = Callable[[str, Reply], Reply]


@pytest.fixture
def broken(mlflow_with_login: str) -> Iterator[Gateway]:
    """An MLflow whose replies a test changes."""
    with gateway(mlflow_with_login) as made:
        yield made


@pytest.fixture
def pair(
    publish: Publish, follow: Follow, broken: Gateway, name: str
) -> tuple[Following, str, str]:
    """A store that follows two names with a version each, and the names: faulty, sound."""
    faulty, sound = f"{name}-faulty", f"{name}-sound"
    following = follow(broken.url)
    for each in (faulty, sound):
        publish(each)
    assert serving(following, faulty, sound) == [1, 1]
    return following, faulty, sound


def serving(following: Following, *names: str) -> list[int | None]:
    aliases = following.model_store.read_aliases(names)
    versions = (aliases[name].production for name in names)
    return [version.version if version else None for version in versions]


def edited(target_has: str, edit: Callable[[Any], object]) -> Change:
    """Change the JSON of replies to requests whose target contains a text."""

    def change(target: str, reply: Reply) -> Reply:
        if target_has not in target or reply[0] != 200:
            return reply
        content = json.loads(reply[1])
        edit(content)
        return reply[0], json.dumps(content).encode()

    return change


def of_name(name: str, edit: Callable[[dict[str, Any]], object]) -> Change:
    """Change one registered model in the results of searches."""

    def search(content: Any) -> None:
        for model in content.get("registered_models", ()):
            if model["name"] == name:
                edit(model)

    return edited("/registered-models/search", search)


def misdirect(model: dict[str, Any]) -> None:
    """Let the alias `production` name a version that does not exist."""
    for alias in model["aliases"]:
        if alias["alias"] == PRODUCTION:
            alias["version"] = "99"


def failing(name: str, status: int) -> Change:
    return lambda target, reply: (status, b"a bug") if name in target else reply


def without_time(name: str) -> Change:
    """MLflow's replies lack a field in all that concerns a name."""

    def drop(content: Any) -> None:
        if isinstance(content, dict):
            if content.get("name") == name:
                content.pop("creation_timestamp", None)
            for value in content.values():
                drop(value)
        if isinstance(content, list):
            for value in content:
                drop(value)

    return edited("/api/2.0/mlflow/", drop)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda name: failing(name, 500), "MLflow returned status 500 for "),
        (lambda name: failing(name, 403), "(status 403)"),
        (without_time, "MLflow's reply has an unknown shape: 'creation_timestamp'"),
        (
            lambda name: of_name(name, misdirect),
            "the alias production names version 99, which does not exist",
        ),
        (
            lambda name: (
                lambda target, reply: (500, b"") if "get-artifact" in target and name in target
                else reply
            ),
            "version 2 does not load yet: MLflow returned status 500 for /model-versions/get-art",
        ),
    ],
    ids=["status 500", "status 403", "unknown shape", "dangling alias", "no artefacts"],
)  # fmt: skip
def test_a_fault_in_mlflow(
    pair: tuple[Following, str, str], broken: Gateway, publish: Publish,
    change: Callable[[str], Change], reason: str, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("registry.store.background_loads._FIRST_DELAY_S", 0.0)
    following, faulty, sound = pair
    for each in (faulty, sound):
        publish(each, a_model(1))
    broken.change = change(faulty)
    for _ in range(2):
        assert serving(following, faulty, sound) == [1, 2]
        assert following.model_store.unavailable is None
        assert list(following.model_store.faults) == [faulty]
        assert reason in following.model_store.faults[faulty]
    assert following.refusals == []
    broken.change = lambda _target, reply: reply
    for _ in range(20):
        if serving(following, faulty, sound) == [2, 2]:
            break
    assert serving(following, faulty, sound) == [2, 2]
    assert following.model_store.faults == {}


def test_a_name_that_makes_every_search_fail_is_read_apart_and_followed(
    pair: tuple[Following, str, str], broken: Gateway, publish: Publish
) -> None:
    following, faulty, sound = pair

    def change(target: str, reply: Reply) -> Reply:
        return (400, b"{}") if "/search" in target and faulty in target else reply

    broken.change = change
    for each in (faulty, sound):
        publish(each, a_model(1))
    assert serving(following, faulty, sound) == [2, 2]
    broken.seen.clear()
    assert serving(following, faulty, sound) == [2, 2]
    searches = [seen.target for seen in broken.seen if "/search" in seen.target]
    assert sum(sound in target for target in searches) == 1, "it is known to fail"
    assert following.model_store.faults == {}


def test_a_fault_of_every_search_is_one_of_mlflow(
    pair: tuple[Following, str, str], broken: Gateway
) -> None:
    following, faulty, sound = pair
    broken.change = lambda _target, _reply: (503, b"away")
    broken.seen.clear()
    assert serving(following, faulty, sound) == [1, 1]
    assert following.model_store.unavailable == (
        "MLflow returned status 503 for /api/2.0/mlflow/registered-models/search"
    )
    assert following.model_store.faults == {}
    assert len(broken.seen) == 2
    broken.change = lambda _target, reply: reply
    assert serving(following, faulty, sound) == [1, 1]
    assert following.model_store.unavailable is None


def test_a_download_that_hangs(
    publish: Publish, pair: tuple[Following, str, str], broken: Gateway
) -> None:
    following, faulty, sound = pair
    store = following.model_store
    store._loads = BackgroundLoads(store._load_error, patience_s=3)
    go_on = threading.Event()

    def change(target: str, reply: Reply) -> Reply:
        if "get-artifact" in target and faulty in target:
            go_on.wait(20)
        return reply

    broken.change = change
    for each in (faulty, sound):
        publish(each, a_model(1))
    assert serving(following, faulty, sound) == [1, 2]
    assert "version 2 is still loading" in store.faults[faulty]
    publish(sound, a_model(2))
    assert serving(following, faulty, sound) == [1, 3]
    go_on.set()
    for _ in range(200):
        if serving(following, faulty, sound) == [2, 3]:
            break
        threading.Event().wait(0.05)
    assert serving(following, faulty, sound) == [2, 3]
    assert store.faults == {}


@pytest.mark.parametrize("leaves_file", [True, False])
def test_a_cache_folder_that_cannot_be_used(
    publish: Publish, pair: tuple[Following, str, str], client: MlflowClient,
    monkeypatch: pytest.MonkeyPatch, leaves_file: bool,
) -> None:  # fmt: skip
    monkeypatch.setattr("registry.store.background_loads._FIRST_DELAY_S", 0.0)
    following, faulty, sound = pair
    for each in (faulty, sound):
        publish(each, a_model(1), alias=None)
        client.set_registered_model_alias(each, PRODUCTION, "2" if leaves_file else "1")
        client.set_registered_model_alias(each, CHALLENGER, "2")
    folder = following.root / faulty
    shutil.rmtree(folder)
    folder.write_text("a file")
    aliases = following.model_store.read_aliases([faulty, sound])
    assert list(following.model_store.faults) == [faulty]
    assert str(folder) in following.model_store.faults[faulty]
    if leaves_file:
        assert serving(following, faulty, sound) == [1, 2]
    else:
        assert [aliases[name].challenger is None for name in (faulty, sound)] == [True, False]
    folder.unlink()
    for _ in range(20):
        if serving(following, faulty, sound) == serving(following, sound, sound):
            break
    assert serving(following, faulty, sound) == serving(following, sound, sound)
    assert following.model_store.faults == {}
    assert list(folder.glob("*.json"))


def test_a_full_disk(
    publish: Publish, pair: tuple[Following, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    following, faulty, sound = pair
    disk = following.model_store._disk
    remember = disk.remember

    def full(name: str, *rest: Any) -> None:
        if name == faulty:
            raise OSError(28, "No space left on device")
        remember(name, *rest)

    monkeypatch.setattr(disk, "remember", full)
    for each in (faulty, sound):
        publish(each, a_model(1))
    for _ in range(2):
        assert serving(following, faulty, sound) == [2, 2], "what is loaded serves"
        assert "No space left on device" in following.model_store.faults[faulty]
    monkeypatch.setattr(disk, "remember", remember)
    assert serving(following, faulty, sound) == [2, 2]
    assert following.model_store.faults == {}
    assert '"version": 2' in (following.root / faulty / "production.json").read_text()


@needs_mount
def test_a_version_that_the_disk_does_not_take_is_loaded_once_there_is_room(
    publish: Publish, pair: tuple[Following, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("registry.store.background_loads._FIRST_DELAY_S", 0.0)
    following, faulty, sound = pair
    folder = following.root / faulty
    with small_disk(folder, 4_000) as disk:
        with disk.full():
            publish(faulty, a_model(1))
            assert serving(following, faulty, sound) == [1, 1]
            assert "No space left on device" in following.model_store.faults[faulty]
            assert [path.name for path in folder.iterdir()] == ["filler"]
        for _ in range(20):
            if serving(following, faulty, sound) == [2, 1]:
                break
        assert serving(following, faulty, sound) == [2, 1]
        assert following.model_store.faults == {}


def test_a_file_in_the_place_of_a_version_is_replaced(
    publish: Publish, pair: tuple[Following, str, str]
) -> None:
    following, faulty, sound = pair
    publish(faulty, a_model(1), alias=None)
    version = open_registry_version(following, faulty, 2)
    place = following.root / faulty / f"2-{version.created_ms}"
    place.write_text("a file")
    following.model_store.load(version)
    assert (place / "booster.txt").is_file()
    assert serving(following, faulty, sound) == [1, 1]


def open_registry_version(following: Following, name: str, number: int) -> Any:
    version = following.model_store._reader.find(name, number)
    assert version is not None
    return version


def test_names_of_every_kind_follow_their_aliases(
    publish_there: Publish, tracking_uri: str, follow: Follow, name: str
) -> None:
    names = [
        *(
            f"{name}{more}"
            for more in ("欺" * 23, "x" * 243, "X", "x", " o'hara\\", "nai\u0308ve\n")
        ),
        f"..{name}",
        f"a/{name}",
    ]
    following = follow(tracking_uri)
    refused = set(names[-2:])
    sound = [each for each in names if each not in refused]
    assert serving(following, *names) == [None] * len(names)
    for each in sound:
        publish_there(each)
    assert serving(following, *sound) == [1] * len(sound)
    assert serving(following, *names) == [1] * len(sound) + [None, None]
    assert following.model_store.faults == {}


def test_many_long_names_do_not_make_the_request_too_long(
    mlflow_with_login: str, publish: Publish, name: str
) -> None:
    publish(name)
    names = [f"{number:03}{'欺' * 250}" for number in range(100)]
    with gateway(mlflow_with_login) as made:
        versions = open_registry(made.url).aliases([*names, name])
        assert max(len(seen.target) for seen in made.seen) < 8_000
    by_alias = versions[name]
    assert not isinstance(by_alias, RegistryUnavailable)
    assert by_alias[PRODUCTION].version == 1


def test_a_reason_that_cannot_be_stored_is_made_printable(
    publish: Publish, follow: Follow, name: str, client: MlflowClient
) -> None:
    def spoil(path: Path) -> None:
        text = path.read_text()
        assert "oldbalanceOrg" in text
        path.write_text(text.replace('"oldbalanceOrg"', '"bal\\u0000\\nance"'))

    publish(name, spoil_mlmodel=spoil)
    following = follow()
    assert following.production(name) is None
    ((_, reason),) = following.refusals
    assert reason.isprintable()
    assert len(reason) <= model_store_module.MAX_REASON + 3
    assert client.get_model_version(name, "1").tags["sentinel.refused"] == reason
    assert following.model_store.faults == {name: f"version 1 is refused: {reason}"}

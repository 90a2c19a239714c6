"""The model store follows aliases, refuses an invalid version once, and works without MLflow."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient

from registry.client.base import RegisteredVersion, RegistryUnavailable
from registry.names import CANARY_TAG, CHALLENGER, MLMODEL, PRODUCTION, REFUSED_TAG
from scoring.errors import ModelRefused
from tests.support.factories import a_model, feature_rows
from tests.support.followed_store import Follow, Following
from tests.support.stack import Publish, publisher


def truncate(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text("{")


def shift_golden(folder: Path) -> None:
    golden = json.loads((folder / "golden.json").read_text())
    golden["margins"][0] += 2e-9
    (folder / "golden.json").write_text(json.dumps(golden))


def cut_booster(folder: Path) -> None:
    whole = (folder / "booster.txt").read_text()
    (folder / "booster.txt").write_text(whole[: len(whole) // 2])


def folders(following: Following, name: str) -> set[str]:
    """The versions of a name that lie on disk, by number."""
    return {path.name.split("-")[0] for path in (following.root / name).iterdir() if path.is_dir()}


def test_both_aliases_are_followed_as_they_move(
    publish: Publish, follow: Follow, client: MlflowClient, name: str
) -> None:
    following = follow()
    assert (following.production(name), following.challenger(name)) == (None, None)
    publish(name)
    publish(name, a_model(1), alias=CHALLENGER)
    assert (following.production(name), following.challenger(name)) == (1, 2)
    client.set_registered_model_alias(name, PRODUCTION, "2")
    assert following.read_aliases(name).production == following.model_store._reader.find(name, 2)
    assert following.challenger(name) is None, "the production version challenges nobody"
    client.set_registered_model_alias(name, CHALLENGER, "1")
    assert (following.production(name), following.challenger(name)) == (2, 1)
    client.delete_registered_model_alias(name, CHALLENGER)
    assert (following.production(name), following.challenger(name)) == (2, None)
    client.delete_registered_model_alias(name, PRODUCTION)
    assert following.production(name) is None


def test_both_kinds_of_registry_are_followed(
    tracking_uri: str, publish_there: Publish, follow: Follow, name: str
) -> None:
    publish_there(name)
    publish_there(name, alias=CHALLENGER, spoil=truncate("policy.json"))
    following = follow(tracking_uri)
    assert (following.production(name), following.challenger(name)) == (1, None)
    ((refused, reason),) = following.refusals
    assert refused.version == 2
    assert reason.startswith("policy.json is not JSON")
    there = MlflowClient(tracking_uri, registry_uri=tracking_uri).get_model_version(name, "2")
    assert there.tags[REFUSED_TAG] == reason


def test_a_loaded_model_has_its_version_and_scores_equally(
    publish: Publish, follow: Follow, name: str
) -> None:
    model = a_model(3)
    publish(name, model)
    following = follow()
    version = following.read_aliases(name).production
    assert version is not None
    loaded = following.model_store.load(version)
    assert loaded.version is not None
    assert (loaded.version.name, loaded.version.version) == (name, 1)
    rows = feature_rows(20)
    assert (loaded.margins(rows) == model.margins(rows)).all()


@pytest.mark.parametrize(
    ("spoil", "spoil_mlmodel", "reason"),
    [
        (shift_golden, None, "golden rows: the margin is off by 2e-09, more than 1e-09"),
        (lambda folder: (folder / "policy.json").unlink(), None, "policy.json is missing"),
        (cut_booster, None, "booster.txt does not load: tree"),
        (None, Path.unlink, "MLmodel is missing"),
        (None, lambda path: path.write_text("flavors: {}\n"), "MLmodel has no signature"),
        (
            None,
            lambda path: path.write_text(path.read_text().replace("oldbalanceOrg", "balance")),
            "MLmodel: the signature's inputs differ: oldbalanceOrg is missing; balance is unknown",
        ),
        (None, lambda path: path.write_bytes(b"\x00" * 300_000), "MLmodel is larger than 163,840"),
        (None, lambda path: path.write_bytes(b"[" * 60_000), "MLmodel is not YAML"),
    ],
)
def test_a_version_that_fails_a_check_is_refused_once_and_the_previous_one_stays(
    publish: Publish,
    follow: Follow,
    client: MlflowClient,
    name: str,
    spoil: Callable[[Path], object] | None,
    spoil_mlmodel: Callable[[Path], object] | None,
    reason: str,
) -> None:
    following = follow()
    publish(name)
    assert following.production(name) == 1
    spoiling = {"spoil": spoil, "spoil_mlmodel": spoil_mlmodel}
    publish(name, a_model(1), **{key: change for key, change in spoiling.items() if change})
    for _ in range(3):
        assert following.production(name) == 1
    ((refused, reply),) = following.refusals
    assert refused.version == 2
    assert reason in reply
    assert client.get_model_version(name, "2").tags[REFUSED_TAG] == reply
    assert folders(following, name) == {"1"}, "what was refused does not lie on the model_store"


def test_a_refused_challenger_is_no_challenger(publish: Publish, follow: Follow, name: str) -> None:
    following = follow()
    publish(name)
    publish(name, a_model(1), alias=CHALLENGER)
    assert following.challenger(name) == 2
    publish(name, a_model(2), alias=CHALLENGER, spoil=shift_golden)
    for _ in range(2):
        assert (following.production(name), following.challenger(name)) == (1, None)
    assert len(following.refusals) == 1


def test_a_refused_version_is_tried_again_when_the_alias_comes_back_to_it(
    publish: Publish, follow: Follow, client: MlflowClient, name: str
) -> None:
    following = follow()
    publish(name)
    assert following.production(name) == 1
    publish(name, spoil=shift_golden)
    assert following.production(name) == 1
    client.set_registered_model_alias(name, PRODUCTION, "1")
    assert following.production(name) == 1
    client.set_registered_model_alias(name, PRODUCTION, "2")
    assert following.production(name) == 1
    assert [version.version for version, _ in following.refusals] == [2, 2]


def test_a_refused_version_does_not_affect_other_names(
    publish: Publish, follow: Follow, name: str
) -> None:
    names = [f"{name}-{number}" for number in range(4)]
    for number, each in enumerate(names):
        publish(each, a_model(number), **({"spoil": shift_golden} if number == 2 else {}))
    aliases = follow().model_store.read_aliases(names)
    assert [aliases[each].production is None for each in names] == [False, False, True, False]


def test_a_recreated_registered_model_is_loaded_again(
    publish: Publish, follow: Follow, client: MlflowClient, name: str
) -> None:
    following = follow()
    rows = feature_rows(5)
    for seed in (1, 2):
        publish(name, a_model(seed))
        version = following.read_aliases(name).production
        assert version is not None
        assert version.version == 1
        assert (
            following.model_store.load(version).margins(rows) == a_model(seed).margins(rows)
        ).all()
        client.delete_registered_model(name)


def test_when_mlflow_becomes_unreachable_the_versions_stay(
    publish: Publish, follow: Follow, away: str, name: str
) -> None:
    publish(name)
    publish(name, a_model(1), alias=CHALLENGER)
    following = follow()
    before = following.read_aliases(name)
    following.model_store._reader = follow(away).model_store._reader
    assert following.read_aliases(name) == before
    assert before.production is not None
    assert following.model_store.load(before.production).version is not None


def test_a_start_without_mlflow_uses_the_last_good_versions_from_disk(
    publish: Publish, follow: Follow, client: MlflowClient, away: str, name: str
) -> None:
    publish(name)
    publish(name, a_model(1), alias=CHALLENGER)
    client.set_model_version_tag(name, "2", CANARY_TAG, "10")
    before = follow()
    before.read_aliases(name)
    client.set_model_version_tag(name, "2", CANARY_TAG, "20")
    before.read_aliases(name)
    publish(name, spoil=shift_golden)
    before.read_aliases(name)
    after = follow(away, root=before.root)
    assert (after.production(name), after.challenger(name)) == (1, 2)
    challenger = after.read_aliases(name).challenger
    assert challenger is not None
    assert challenger.tags[CANARY_TAG] == "20"
    assert after.model_store.load(challenger).version is not None
    assert after.read_aliases(f"{name}-unknown").production is None


def test_a_start_on_a_refused_version_serves_the_previous_one(
    publish: Publish, follow: Follow, name: str
) -> None:
    publish(name)
    before = follow()
    before.read_aliases(name)
    publish(name, spoil=shift_golden)
    assert follow(root=before.root).production(name) == 1


def test_a_refusal_is_tagged_later_when_tagging_fails_at_first(
    publish: Publish, follow: Follow, client: MlflowClient, away: str, name: str
) -> None:
    publish(name, spoil=shift_golden)
    following = follow()
    reader = following.model_store._reader
    elsewhere = follow(away).model_store._reader
    tag = reader.tag
    reader.tag = elsewhere.tag  # type: ignore[method-assign]
    following.read_aliases(name)
    assert REFUSED_TAG not in client.get_model_version(name, "1").tags
    reader.tag = tag  # type: ignore[method-assign]
    following.read_aliases(name)
    assert "golden rows" in client.get_model_version(name, "1").tags[REFUSED_TAG]
    assert len(following.refusals) == 1


def test_a_damaged_copy_on_disk_is_downloaded_again(
    publish: Publish, follow: Follow, name: str
) -> None:
    publish(name)
    before = follow()
    before.read_aliases(name)
    (booster,) = before.root.glob("*/*/booster.txt")
    whole = booster.read_text()
    booster.write_text(whole[: len(whole) // 2])
    (before.root / name / "challenger.json").write_text("rubbish")
    after = follow(root=before.root)
    assert after.production(name) == 1
    assert booster.read_text() == whole
    assert after.refusals == []


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


def test_the_five_last_used_versions_and_the_serving_one_stay_on_disk(
    publish: Publish, follow: Follow, name: str
) -> None:
    following = follow()
    publish(name)
    following.read_aliases(name)
    reader = following.model_store._reader
    abandoned = following.root / name / ".unfinished-long-ago"
    abandoned.mkdir()
    shutil.copystat("/", abandoned)
    for number in range(2, 9):
        publish(name, a_model(number), alias=None)
        version = reader.find(name, number)
        assert version is not None
        following.model_store.load(version)
    assert folders(following, name) - {".unfinished"} == {"1", "4", "5", "6", "7", "8"}
    assert follow(root=following.root).production(name) == 1


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


def test_loading_an_invalid_version_raises_with_the_reason(
    publish: Publish, follow: Follow, name: str
) -> None:
    publish(name, spoil_mlmodel=Path.unlink)
    following = follow()
    version = following.model_store._reader.find(name, 1)
    assert version is not None
    with pytest.raises(ModelRefused, match=f"{MLMODEL} is missing"):
        following.model_store.load(version)


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

"""The model store follows aliases, and works without MLflow from what is on disk."""

from __future__ import annotations

import re
import shutil

from mlflow import MlflowClient

from registry.names import CANARY_TAG, CHALLENGER, PRODUCTION, REFUSED_TAG
from tests.support.factories import a_model, feature_rows
from tests.support.registry.broken_versions import shift_golden, truncate
from tests.support.registry.followed_store import Follow
from tests.support.stack import Publish


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


def test_a_copy_on_disk_of_which_one_digit_changed_is_downloaded_again(
    publish: Publish, follow: Follow, name: str
) -> None:
    publish(name)
    before = follow()
    before.read_aliases(name)
    (booster,) = before.root.glob("*/*/booster.txt")
    whole = booster.read_text()
    # Too little for the golden rows to show it.
    changed = re.sub(r"(leaf_value=\S+?)(\d) ", lambda m: f"{m[1]}{9 - int(m[2])} ", whole, count=1)
    assert changed != whole
    booster.write_text(changed)
    after = follow(root=before.root)
    assert after.production(name) == 1
    assert booster.read_text() == whole
    assert after.refusals == []


def test_a_copy_of_a_release_that_recorded_no_digest_is_used(
    publish: Publish, follow: Follow, away: str, name: str
) -> None:
    publish(name)
    before = follow()
    before.read_aliases(name)
    (record,) = before.root.glob("*/*/verified.sha256")
    record.unlink()
    after = follow(away, root=before.root)
    production = after.read_aliases(name).production
    assert production is not None
    assert after.model_store.load(production).version is not None
    assert record.exists()


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
    assert following.versions_on_disk(name) - {".unfinished"} == {"1", "4", "5", "6", "7", "8"}
    assert follow(root=following.root).production(name) == 1

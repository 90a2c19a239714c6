"""A version that fails a check is refused once, and the one before it goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient

from registry.names import CHALLENGER, MLMODEL, PRODUCTION, REFUSED_TAG
from scoring.errors import ModelRefused
from tests.support.factories import a_model
from tests.support.registry.broken_versions import cut_booster, shift_golden
from tests.support.registry.followed_store import Follow
from tests.support.stack import Publish


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
    assert following.versions_on_disk(name) == {"1"}, "a refused version does not stay on disk"


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


def test_loading_an_invalid_version_raises_with_the_reason(
    publish: Publish, follow: Follow, name: str
) -> None:
    publish(name, spoil_mlmodel=Path.unlink)
    following = follow()
    version = following.model_store._reader.find(name, 1)
    assert version is not None
    with pytest.raises(ModelRefused, match=f"{MLMODEL} is missing"):
        following.model_store.load(version)

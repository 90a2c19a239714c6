"""Both registry clients return the same versions, aliases, tags and files."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlflow import MlflowClient

from registry.client.base import RegisteredVersion, RegistryReader, RegistryUnavailable
from registry.client.factory import open_registry
from registry.client.rest_client import RestClient
from registry.names import CANARY_TAG, CHALLENGER, MODEL_PATH, PRODUCTION, PROMOTED_BY_TAG
from scoring.errors import ModelRefused
from tests.support.registry.mlflow_gateway import gateway
from tests.support.stack import Publish


def test_one_call_returns_both_aliases_of_every_name(
    registry: RegistryReader, publish_there: Publish, name: str
) -> None:
    for each in (name, f"{name}-b"):
        publish_there(each, alias=PRODUCTION)
        publish_there(each, alias=CHALLENGER)
    publish_there(f"{name}-c", alias=None)
    versions = registry.aliases([name, f"{name}-b", f"{name}-c", f"{name}-absent"])
    assert versions == {
        name: {alias: registry.resolve(name, alias) for alias in (PRODUCTION, CHALLENGER)},
        f"{name}-b": {
            alias: registry.resolve(f"{name}-b", alias) for alias in (PRODUCTION, CHALLENGER)
        },
        f"{name}-c": {},
        f"{name}-absent": {},
    }
    assert versions[name][PRODUCTION].version == 1
    assert versions[name][CHALLENGER].version == 2


def test_a_name_with_characters_of_the_filter_language_is_found(
    registry: RegistryReader, publish_there: Publish, name: str
) -> None:
    odd = f'{name} o\'hara, (50%) "x"'
    publish_there(odd)
    publish_there(name)
    versions = registry.aliases([odd, name])
    assert {each: versions[each][PRODUCTION].name for each in versions} == {odd: odd, name: name}


def test_more_names_than_fit_one_search_are_all_found(
    registry: RegistryReader, publish_there: Publish, name: str
) -> None:
    publish_there(name)
    names = [f"{name}-{number}" for number in range(-250, 0)] + [name]
    versions = registry.aliases(names)
    assert len(versions) == 251
    assert [each for each in names if versions[each]] == [name]


@pytest.mark.parametrize("newer", [False, True])
def test_a_changed_tag_of_the_challenger_is_in_the_next_call(
    tracking_uri: str, registry: RegistryReader, publish_there: Publish, name: str, newer: bool
) -> None:
    number = str(publish_there(name, alias=CHALLENGER))
    if newer:
        publish_there(name, alias=PRODUCTION)
    client = MlflowClient(tracking_uri, registry_uri=tracking_uri)

    def percent() -> str | None:
        return registry.aliases([name])[name][CHALLENGER].tags.get(CANARY_TAG)

    assert percent() is None
    for value in ("5", "50"):
        client.set_model_version_tag(name, number, CANARY_TAG, value)
        assert percent() == value
    client.delete_model_version_tag(name, number, CANARY_TAG)
    assert percent() is None


def test_a_recreated_registered_model_is_not_equal_to_the_old_one(
    tracking_uri: str, registry: RegistryReader, publish_there: Publish, name: str
) -> None:
    client = MlflowClient(tracking_uri, registry_uri=tracking_uri)

    def made_with_two_versions() -> RegisteredVersion:
        publish_there(name)
        publish_there(name, alias=None)
        return registry.aliases([name])[name][PRODUCTION]

    old = made_with_two_versions()
    client.delete_registered_model(name)
    assert registry.aliases([name]) == {name: {}}
    new = made_with_two_versions()
    assert (new.name, new.version) == (old.name, old.version)
    assert new != old


def test_tags_come_with_a_version_but_do_not_make_it_another(
    tracking_uri: str, registry: RegistryReader, publish_there: Publish, name: str
) -> None:
    number = publish_there(name)
    before = registry.find(name, number)
    client = MlflowClient(tracking_uri, registry_uri=tracking_uri)
    client.set_model_version_tag(name, str(number), "team", "fraud")
    after = registry.find(name, number)
    assert before == after
    assert after is not None
    assert after.tags["team"] == "fraud"
    assert hash(before) == hash(after)


def test_the_tags_of_an_older_version_are_those_of_the_time_at_which_its_alias_was_set(
    tracking_uri: str, registry: RegistryReader, publish_there: Publish, name: str
) -> None:
    first = publish_there(name)
    client = MlflowClient(tracking_uri, registry_uri=tracking_uri)

    def tagged() -> str | None:
        return registry.aliases([name])[name][PRODUCTION].tags.get(PROMOTED_BY_TAG)

    publish_there(name, alias=None)
    assert tagged() is None
    publish_there(name)
    assert tagged() is None
    client.set_model_version_tag(name, str(first), PROMOTED_BY_TAG, "anna")
    client.set_registered_model_alias(name, PRODUCTION, str(first))
    assert tagged() == "anna"


def test_an_absent_version_or_alias_is_none(
    registry: RegistryReader, publish_there: Publish, name: str
) -> None:
    assert registry.find(name, 1) is None
    assert registry.resolve(name, PRODUCTION) is None
    publish_there(name, alias=None)
    assert registry.find(name, 2) is None
    assert registry.resolve(name, PRODUCTION) is None


def test_a_file_is_downloaded_whole_and_an_absent_one_returns_false(
    registry: RegistryReader, publish_there: Publish, name: str, tmp_path: Path
) -> None:
    content = b"\x00\xff\r\n" * 100_000

    def add(folder: Path) -> None:
        (folder / "more.bin").write_bytes(content)

    version = registry.find(name, publish_there(name, spoil=add))
    assert version is not None
    to = tmp_path / "arrived"
    assert registry.download(version, f"{MODEL_PATH}/more.bin", to, len(content))
    assert to.read_bytes() == content
    assert not registry.download(version, f"{MODEL_PATH}/absent.bin", to, len(content))
    with pytest.raises(ModelRefused, match=r"arrived is larger than 399,999 bytes"):
        registry.download(version, f"{MODEL_PATH}/more.bin", to, len(content) - 1)


def test_an_unreachable_server_raises_registry_unavailable(away: str, tmp_path: Path) -> None:
    registry = open_registry(away)
    version = RegisteredVersion("fraud-demo", 1, 0)
    asked = [
        lambda: registry.aliases(["fraud-demo"]),
        lambda: registry.resolve("fraud-demo", PRODUCTION),
        lambda: registry.find("fraud-demo", 1),
        lambda: registry.download(version, "MLmodel", tmp_path / "MLmodel", 1),
        lambda: registry.tag(version, "key", "value"),
        lambda: registry.untag(version, "key"),
    ]
    for ask in asked:
        with pytest.raises(RegistryUnavailable, match="MLflow did not respond"):
            ask()


def test_a_server_other_than_mlflow_raises_registry_unavailable_in_a_sentence(
    mlflow_with_login: str,
) -> None:
    with gateway(mlflow_with_login) as other:
        other.change = lambda _target, _reply: (200, b"<html>Please log in</html>")
        with pytest.raises(RegistryUnavailable, match="MLflow's reply has an unknown shape"):
            RestClient(other.url).aliases(["fraud-demo"])


def test_a_model_that_the_login_may_no_longer_read_is_no_model_without_aliases(
    mlflow_with_login: str, publish: Publish
) -> None:
    def refused(target: str, reply: tuple[int, bytes]) -> tuple[int, bytes]:
        """As MLflow 3.17.2 replies where its default permission is NO_PERMISSIONS."""
        if "/registered-models/search" in target:
            return 200, b"{}"
        return (403, b"Permission denied") if "/registered-models/alias" in target else reply

    publish("fraud-secret")
    with gateway(mlflow_with_login) as guarded:
        registry = RestClient(guarded.url)
        versions = registry.aliases(["fraud-secret"])["fraud-secret"]
        assert not isinstance(versions, RegistryUnavailable)
        assert versions[PRODUCTION].version == 1

        guarded.change = refused
        for _ in range(2):
            versions = registry.aliases(["fraud-secret"])["fraud-secret"]
            assert isinstance(versions, RegistryUnavailable), "its tenants keep their version"
            assert "status 403" in str(versions)

        guarded.change = lambda _target, reply: reply
        client = MlflowClient(guarded.url)
        client.delete_registered_model_alias("fraud-secret", PRODUCTION)
        assert registry.aliases(["fraud-secret"])["fraud-secret"] == {}


def test_a_wrong_path_is_no_absent_model(mlflow_server: str) -> None:
    registry = RestClient(f"{mlflow_server}/elsewhere")
    with pytest.raises(RegistryUnavailable, match="MLflow returned status 404 for /elsewhere/api"):
        registry.resolve("fraud-demo", PRODUCTION)


def test_a_uri_of_another_kind_is_refused_in_a_sentence() -> None:
    with pytest.raises(ValueError, match=r"'ftp://nowhere'; set it to an http\(s\):// or a"):
        open_registry("ftp://nowhere")

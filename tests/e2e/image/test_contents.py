"""The image holds what serving needs and nothing else, and is labelled with its source."""

from __future__ import annotations

import hashlib
import json
import subprocess

import pytest

from scoring import __version__
from tests.support.deploy.containers import SECRETS, Store
from tests.support.paths import PROJECT

pytestmark = [pytest.mark.image, pytest.mark.timeout(900)]


def test_the_image_is_smaller_than_600_mb(store: Store, image: str) -> None:
    assert store.inspect(image)["Size"] < 600e6


def test_the_images_packages_are_those_of_the_serving_lock(store: Store, image: str) -> None:
    listed = store.run(
        image,
        "python",
        "-c",
        "from importlib.metadata import distributions as d; print(*(x.name.lower() for x in d()))",
    ).stdout.split()
    assert {"bentoml", "lightgbm", "psycopg"} <= set(listed)
    assert not {"mlflow", "pandas", "scikit-learn", "shap", "pytest", "pip"} & set(listed)


def test_no_compiler_no_package_cache_and_no_index_setting_is_left(
    store: Store, image: str
) -> None:
    look = (
        (
            "for tool in cc gcc g++ clang ld make pip uv; do command -v $tool; done;"
            "find / -xdev ( -name '*.whl' -o -name pip.conf -o -path '*/.cache/*' ) 2>/dev/null;"
            "ls /app/bento /lock 2>/dev/null"
        )
        .replace("( ", r"\( ")
        .replace(" )", r" \)")
    )
    assert store.run(image, "sh", "-c", look).stdout.split() == ["/app/bento:", "bento.yaml", "src"]


def test_the_image_does_not_run_as_root(store: Store, image: str) -> None:
    assert store.inspect(image)["Config"]["User"] == "10001:10001"
    assert store.run(image, "id").stdout.startswith("uid=10001(sentinel) gid=10001(sentinel)")


def test_files_belong_to_root_and_only_the_volume_is_writable(store: Store, image: str) -> None:
    writable = store.run(image, "find", "/app", "/usr", "/etc", "-writable", "!", "-type", "l")
    assert writable.stdout == ""
    assert store.inspect(image)["Config"]["Volumes"] == {"/var/lib/sentinel": {}}


def test_the_labels_name_the_commit_and_the_lock(store: Store, image: str) -> None:
    labels = store.inspect(image)["Labels"]
    head = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=PROJECT, text=True).strip()
    lock = (PROJECT / "requirements/serving.lock").read_bytes()
    assert labels["org.opencontainers.image.revision"].removesuffix("-dirty") == head
    assert labels["org.opencontainers.image.version"] == __version__
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert labels["sentinel.requirements.sha256"] == hashlib.sha256(lock).hexdigest()


def test_no_secret_of_the_builder_is_in_the_image(store: Store, image: str) -> None:
    text = json.dumps(store.inspect(image)) + store.podman("history", "--no-trunc", image)
    for value in SECRETS.values():
        assert value not in text
    result = store.run(image, "grep", "-rlE", "of-the-builder|index-url", "/app/bento", "/etc")
    assert result.stdout == ""


def test_the_image_starts_without_compiling(store: Store, image: str) -> None:
    """Its root is read-only: what is not compiled in the image is compiled at every start."""
    modules = "_bentoml_impl.worker.service, app.startup, sentinel.cli.main, service"
    imported = store.run(image, "python", "-v", "-c", f"import {modules}").stderr
    loaded = [line for line in imported.splitlines() if line.startswith("# code object from")]
    assert len(loaded) > 1000
    assert [line for line in loaded if ".pyc" not in line] == []


def test_an_unwritable_volume_is_reported(store: Store, image: str) -> None:
    done = store.run(image, "sentinel", "--help", options=("--tmpfs=/var/lib/sentinel:mode=0700",))
    assert done.returncode == 1
    assert "/var/lib/sentinel is not writable for user 10001" in done.stderr


def test_a_missing_setting_is_named(store: Store, image: str) -> None:
    done = store.run(image, options=("--env=DATABASE_URL=postgresql://nobody@localhost/nothing",))
    assert done.returncode != 0
    assert "SENTINEL_KEY_SECRET is not set" in done.stdout + done.stderr

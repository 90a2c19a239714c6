"""`make image` chooses the pins and the engine, and reports a missing engine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import PROJECT

sys.path.insert(0, str(PROJECT / "deploy/image"))
import make_image

LOCK = """\
first==1.0 ; sys_platform == 'darwin' \\
    --hash=sha256:aa
first==2.0 ; sys_platform != 'darwin' \\
    --hash=sha256:bb \\
    --hash=sha256:cc
    # via
    #   second
old==1.0 ; python_full_version < '3.12' \\
    --hash=sha256:dd
new==1.0 ; python_full_version >= '3.12' \\
    --hash=sha256:ee
any==1.0 \\
    --hash=sha256:ff
"""


def test_the_wheels_are_those_for_the_images_python_on_linux_wherever_it_is_built() -> None:
    pins = make_image.for_the_image(LOCK)
    assert [pin.split()[0] for pin in pins] == ["first==2.0", "old==1.0", "any==1.0"]
    assert pins[0].count("--hash=") == 2
    assert not any(";" in pin for pin in pins)


def test_the_pins_hold_every_package_that_the_service_imports() -> None:
    names = {pin.split("==")[0] for pin in make_image.for_the_image(make_image.LOCK.read_text())}
    assert {"bentoml", "lightgbm", "numba", "numpy", "psycopg-binary", "uvloop"} <= names


def test_without_an_engine_the_error_names_the_accepted_ones(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        make_image.ImageError, match="docker, podman or buildah, and none of them runs"
    ):
        make_image.find_engine(None)
    with pytest.raises(make_image.ImageError, match="podman is not installed"):
        make_image.find_engine("podman")


def test_a_docker_client_without_its_engine_is_skipped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, status in (("docker", 1), ("podman", 1), ("buildah", 0)):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\nexit {status}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert make_image.find_engine(None) == "buildah"


def test_an_unknown_engine_is_refused_by_name() -> None:
    with pytest.raises(
        make_image.ImageError, match="ENGINE=rkt is none of docker, podman, buildah"
    ):
        make_image.find_engine("rkt")


def test_where_the_image_cannot_be_tested_one_sentence_says_why(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.containers"],
        cwd=PROJECT,
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("The image is not tested here: ")
    assert len(done.stderr.splitlines()) == 1

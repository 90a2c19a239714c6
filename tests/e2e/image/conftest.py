"""One image for all tests of it, built the way `make image` builds it."""

from __future__ import annotations

import itertools
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scoring import __version__
from tests.support.deploy.containers import SECRETS, Container, Store
from tests.support.paths import PROJECT

BASE = "localhost/sentinel-base:test"
IMAGE = f"localhost/sentinel:{__version__}"


@pytest.fixture(scope="session")
def store() -> Iterator[Store]:
    # Not tmp_path_factory: pytest keeps its last three, at 1.5 GB each.
    store = Store(Path(tempfile.mkdtemp(prefix="sentinel-image-")))
    yield store
    store.remove()


@pytest.fixture(scope="session")
def base(store: Store) -> str:
    """Debian's Python on glibc, in place of an image from a registry that may be out of reach."""
    archive = PROJECT / "build/image/base-for-tests.tar"
    if not archive.exists():
        unfinished = archive.with_suffix(".unfinished")
        unfinished.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("wb") as output:
            subprocess.run(
                [
                    *(
                        "mmdebstrap",
                        "--quiet",
                        "--mode=root",
                        "--variant=essential",
                        "--format=tar",
                    ),
                    "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
                    "--include=python3,usr-is-merged,libgomp1,libstdc++6",
                    *(f"--dpkgopt=path-exclude=/usr/share/{it}/*" for it in ("doc", "man")),
                    "--dpkgopt=path-exclude=/usr/share/locale/*",
                    "bookworm",
                ],
                stdout=output,
                check=True,
            )
        unfinished.rename(archive)
    store.podman("import", str(archive), BASE)
    return BASE


@pytest.fixture(scope="session")
def image(store: Store, base: str) -> str:
    """The built image's name."""
    built = subprocess.run(
        [sys.executable, "deploy/image/make_image.py", "--engine=buildah", f"--base-image={base}"],
        cwd=PROJECT,
        env=store.environment | SECRETS,
        capture_output=True,
        text=True,
        check=False,
    )
    print(built.stdout)
    assert built.returncode == 0, built.stderr
    assert f"{IMAGE.removeprefix('localhost/')}, " in built.stdout
    return IMAGE


@pytest.fixture
def start(store: Store, image: str) -> Iterator[Callable[..., Container]]:
    """A factory of running containers of the image: `start(NAME=value, ...)`."""
    names = itertools.count(1)
    started = []

    def begin(**environment: str) -> Container:
        name = f"sentinel-{next(names)}"
        started.append(name)
        options = [f"--env={key}={value}" for key, value in environment.items()]
        return store.start(image, name, ("--network=host", *options))

    yield begin
    for name in started:
        store.podman("rm", "--force", "--volumes", "--time=0", name)

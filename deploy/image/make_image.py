"""Build the Bento and its container image: `make image`.

The locked wheels are downloaded here, with the pip and the index settings of this machine, and the
build takes them from its context: it needs no index, and contains no setting of this machine.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # a script imports only from its own folder

from scoring import __version__  # noqa: E402

LOCK = ROOT / "requirements/serving.lock"
WORK = ROOT / "build/image"
WHEELS = WORK / "wheels"
CONTEXT = WORK / "context"
LOG = WORK / "build.log"
NAME = f"sentinel:{__version__}"

ENGINES = {"docker": ["docker", "info"], "podman": ["podman", "info"], "buildah": ["buildah", "-v"]}
_ARCHITECTURES = {"arm64": "aarch64", "AMD64": "x86_64"}
_PYTHON = "3.11"
_GLIBC = range(36, 16, -1)  # what the base image's 2.36 runs: manylinux_2_36 down to _2_17
_LOG_LINES = 15


class ImageError(Exception):
    """The image cannot be built; the message is one sentence with the reason."""


def main() -> int:
    """Build the image and print its name and size; return 1 after an error."""
    parser = argparse.ArgumentParser(description="Build the image of the service.")
    parser.add_argument("--engine", help="docker, podman or buildah  [default: the first to run]")
    parser.add_argument("--base-image", help="with Python 3.11 on glibc 2.28 or newer")
    arguments = parser.parse_args()
    try:
        engine = find_engine(arguments.engine)
        WORK.mkdir(parents=True, exist_ok=True)
        LOG.write_text("")
        download_wheels()
        build_bento()
        print(f"Building {NAME} with {engine} ...", flush=True)
        build_image(engine, arguments.base_image)
        size = size_mb(engine)
    except ImageError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"\n  {NAME}, {size:.0f} MB\n\n{how_to_run(engine)}")
    return 0


def find_engine(named: str | None) -> str:
    """Return the engine that builds the image.

    Args:
        named: name of the engine; None: the first that works.

    Raises:
        ImageError: no engine runs here, or the named one does not.
    """
    if named and named not in ENGINES:
        raise ImageError(f"ENGINE={named} is none of {', '.join(ENGINES)}.")
    for engine in [named] if named else ENGINES:
        # A docker client may be installed without an engine.
        if shutil.which(engine) and _succeeds(ENGINES[engine]):
            return engine
    if named:
        raise ImageError(f"{named} is not installed, or does not run here.")
    raise ImageError(
        "Building an image needs docker, podman or buildah, and none of them runs here"
        " (Debian: apt-get install buildah podman runc)."
    )


def download_wheels() -> None:
    """Download the locked wheels for the image's Python, and the locked pip that installs them.

    Raises:
        ImageError: pip failed.
    """
    requirements = for_the_image(LOCK.read_text())
    pip = re.search(r"(?ms)^pip==.*?(?=^\S)", (ROOT / "requirements/dev.lock").read_text())
    assert pip is not None  # noqa: S101 - pyproject.toml requires it
    downloaded = WORK / "wheels.txt"
    text = "\n".join([*requirements, pip[0]])
    if WHEELS.is_dir() and downloaded.is_file() and downloaded.read_text() == text:
        return
    shutil.rmtree(WHEELS, ignore_errors=True)
    downloaded.unlink(missing_ok=True)
    pins = WORK / "pins.txt"
    pins.write_text(text)
    machine = architecture()
    tags = [f"manylinux_2_{minor}_{machine}" for minor in _GLIBC]
    print("Downloading the locked packages ...", flush=True)
    _run(
        *(sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"),
        *("--require-hashes", "--no-deps", "--only-binary", ":all:", "--python-version", _PYTHON),
        *(word for tag in [*tags, f"manylinux2014_{machine}"] for word in ("--platform", tag)),
        *("--dest", str(WHEELS), "--requirement", str(pins)),
        failure="The locked packages could not be downloaded.",
    )
    pins.rename(downloaded)  # last, so that an interrupted download is repeated


def for_the_image(lock: str) -> list[str]:
    """Return the pins of a lock file that apply within the image, without their markers.

    pip evaluates markers for the machine that it runs on, even with `--platform`.
    """
    target = {
        "python_version": _PYTHON,
        "python_full_version": f"{_PYTHON}.0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "platform_machine": architecture(),
        "platform_system": "Linux",
        "sys_platform": "linux",
        "os_name": "posix",
    }
    pins = []
    for block in re.split(r"(?m)^(?=[A-Za-z0-9])", lock)[1:]:
        first, _, hashes = block.partition("\\")
        requirement = Requirement(first)
        if requirement.marker is None or requirement.marker.evaluate(target):
            requirement.marker = None
            pins.append(f"{requirement} \\{hashes}".rstrip())
    return pins


def architecture() -> str:
    """Return the architecture of this machine and of the image, as wheels name it."""
    return _ARCHITECTURES.get(platform.machine(), platform.machine())


def build_bento() -> None:
    """Build the Bento into the context, with the wheels beside its lock file.

    Raises:
        ImageError: BentoML failed.
    """
    store = WORK / "bentoml"
    shutil.rmtree(store, ignore_errors=True)
    _run(
        *(sys.executable, "-m", "bentoml", "build", "--version", __version__, "--output", "tag"),
        failure="The Bento could not be built.",
        env={"BENTOML_HOME": str(store)},
        cwd=ROOT,
    )
    shutil.rmtree(CONTEXT, ignore_errors=True)
    shutil.copytree(store / "bentos/sentinel" / __version__, CONTEXT)
    shutil.copytree(
        WHEELS, CONTEXT / "env/python/wheels", copy_function=os.link, dirs_exist_ok=True
    )


def build_image(engine: str, base_image: str | None) -> None:
    """Build the image from the context.

    Args:
        engine: engine that builds it.
        base_image: image with Python 3.11 on glibc 2.28 or newer; None: the Dockerfile's.

    Raises:
        ImageError: the engine failed.
    """
    labels = {
        "org.opencontainers.image.version": __version__,
        "org.opencontainers.image.revision": revision(),
        "sentinel.requirements.sha256": hashlib.sha256(LOCK.read_bytes()).hexdigest(),
    }
    options = [f"--label={name}={value}" for name, value in labels.items()]
    if base_image:
        options.append(f"--build-arg=BASE_IMAGE={base_image}")
    if engine != "docker":
        options.append("--format=docker")  # the OCI format has no health check
    _run(
        *(engine, "build", *options, "--tag", NAME),
        *("--file", str(CONTEXT / "env/docker/Dockerfile"), str(CONTEXT)),
        failure="The image could not be built.",
        # Docker's other builder has no mounts; buildah does not cache by default.
        env={"DOCKER_BUILDKIT": "1", "BUILDAH_LAYERS": os.environ.get("BUILDAH_LAYERS", "true")},
    )


def revision() -> str:
    """Return the commit, with `-dirty` if files differ from it, or `unknown` outside git."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--abbrev=40", "--dirty"]
    command += ["--exclude=*"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    return done.stdout.strip() or "unknown"


def size_mb(engine: str) -> float:
    """Return the image's size without compression, in 10^6 bytes."""
    if engine == "buildah":
        command = [engine, "images", "--json", NAME]
        pattern = r'"size": "([\d.]+) (\w+)"'
    else:
        command = [engine, "image", "inspect", "--format", "{{.Size}} B", NAME]
        pattern = r"([\d.]+) (\w+)"
    size = re.search(pattern, subprocess.check_output(command, text=True))  # noqa: S603
    assert size is not None  # noqa: S101 - the engine has just built it
    return float(size[1]) * {"B": 1e-6, "KB": 1e-3, "MB": 1, "GB": 1e3}[size[2]]


def how_to_run(engine: str) -> str:
    """Return the commands that run the image."""
    run = f"{engine if engine != 'buildah' else 'podman'} run --rm --env-file sentinel.env"
    return f"""  With DATABASE_URL, MLFLOW_TRACKING_URI and SENTINEL_KEY_SECRET in `sentinel.env`:
  {run} {NAME} sentinel db upgrade
  {run} --read-only -v sentinel:/var/lib/sentinel -p 3000:3000 {NAME}
  Together with Postgres, MLflow, Prometheus and Grafana: make up"""


def _succeeds(command: list[str]) -> bool:
    done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - see ENGINES
    return done.returncode == 0


def _run(
    *command: str, failure: str, env: dict[str, str] | None = None, cwd: Path | None = None
) -> None:
    """Run a command with its output in the log; an error shows the log's last lines."""
    with LOG.open("a+") as log:
        done = subprocess.run(  # noqa: S603 - our own commands
            command,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        output = "\n".join(LOG.read_text(errors="replace").splitlines()[-_LOG_LINES:])
        raise ImageError(f"{output}\n{failure} The whole output is in {LOG.relative_to(ROOT)}.")


if __name__ == "__main__":
    sys.exit(main())

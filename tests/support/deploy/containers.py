"""Container images and containers without a daemon, in a store below one folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

# runc's own defaults are higher, and a sandbox's kernel refuses them.
_LIMITS = ("--ulimit=nofile=4096:4096", "--ulimit=nproc=4096:4096")

SECRETS = {
    "DATABASE_URL": "postgresql://owner:a-password-of-the-builder@db/sentinel",
    "SENTINEL_KEY_SECRET": "a-key-secret-of-the-builder",
    "BENTOML_ANYTHING": "a-setting-of-the-builder",
}
"""Environment of the build, of which nothing may be in the image."""


class Store:
    """Images and containers below one directory."""

    def __init__(self, root: Path) -> None:
        """Use overlay mounts where the kernel allows them, copies elsewhere."""
        self._root = root
        settings = root / "storage.conf"
        self.environment = {
            **os.environ,
            "CONTAINERS_STORAGE_CONF": str(settings),
            "BUILDAH_ISOLATION": "chroot",
            "TMPDIR": str(root),
        }
        for driver in ("overlay", "vfs"):
            settings.write_text(
                f'[storage]\ndriver = "{driver}"\n'
                f'graphroot = "{root / driver}"\nrunroot = "{root / "run"}"\n'
            )
            if self._try("podman", "info").returncode == 0:
                break
        if driver == "vfs":
            self.environment["BUILDAH_LAYERS"] = "false"  # each would be a copy of everything

    def podman(self, *arguments: str) -> str:
        """Run podman and return what it prints."""
        done = self._try("podman", *arguments)
        assert done.returncode == 0, f"podman {' '.join(arguments)}: {done.stderr or done.stdout}"
        return done.stdout.strip()

    def run(
        self, image: str, *command: str, options: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in a new container and wait for its end."""
        return self._try(*self._podman_run("--rm", *options), image, *command)

    def start(self, image: str, name: str, options: tuple[str, ...]) -> Container:
        """Start a container that keeps running, read-only but for the image's volume."""
        self.podman(*self._podman_run("--detach", "--name", name, *options)[1:], image)
        return Container(self, name)

    def inspect(self, name: str) -> dict[str, Any]:
        """Return what `podman inspect` reports of an image or a container."""
        document: list[dict[str, Any]] = json.loads(self.podman("inspect", name))
        return document[0]

    def remove(self) -> None:
        """Stop every container and remove the store."""
        self._try("podman", "rm", "--all", "--force", "--time", "0")
        for mount in reversed(psutil.disk_partitions(all=True)):
            if Path(mount.mountpoint).is_relative_to(self._root):
                subprocess.run(["umount", "--lazy", mount.mountpoint], check=False)
        shutil.rmtree(self._root, ignore_errors=True)

    @staticmethod
    def _podman_run(*options: str) -> tuple[str, ...]:
        # The image's volume is the only thing that may be written: no tmpfs on /tmp either.
        read_only = ("--read-only", "--read-only-tmpfs=false")
        held = ("--cap-drop=all", "--security-opt=no-new-privileges")
        return ("podman", "--runtime=runc", "run", *_LIMITS, *read_only, *held, *options)

    def _try(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=240, check=False
        )


class Container:
    """A started container."""

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self.name = name

    @property
    def log(self) -> str:
        """Its output so far, both streams."""
        done = self._store._try("podman", "logs", self.name)
        return done.stdout + done.stderr

    def run(self, *command: str) -> str:
        """Run a command in the running container and return what it prints."""
        return self._store.podman("exec", self.name, *command)

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> float:
        """Wait until the container is ready; return the seconds that took."""
        began = time.monotonic()
        while not ready():
            assert time.monotonic() - began < seconds, self.log[-5000:]
            assert self.state["Running"], self.log[-5000:]
            time.sleep(0.1)
        return time.monotonic() - began

    @property
    def state(self) -> dict[str, Any]:
        """State as `podman inspect` reports it: whether it runs, its exit code."""
        result: dict[str, Any] = self._store.inspect(self.name)["State"]
        return result

    def check_health(self) -> str:
        """Run its health check now, as systemd would, and return the health state."""
        self._store._try("podman", "healthcheck", "run", self.name)
        state = self.state
        return str((state.get("Health") or state["Healthcheck"])["Status"])

    def stop(self, seconds: int) -> int:
        """Send SIGTERM, kill it after `seconds`, and return its exit status."""
        self._store.podman("stop", "--time", str(seconds), self.name)
        return int(self.state["ExitCode"])

"""Model versions on disk: downloaded whole or not at all, the five used last kept per name.

    <root>/<registered model>/<version>-<created_ms>/   the five files and MLmodel
    <root>/<registered model>/production.json           what serves, for a start without MLflow

Processes may share a root: folders appear and vanish by being renamed.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from urllib.parse import quote

from registry.client.base import RegisteredVersion, RegistryReader
from registry.names import MLMODEL, MODEL_PATH
from registry.verify.signature import MAX_BYTES as MAX_MLMODEL_BYTES
from scoring.errors import ModelRefused
from scoring.model.fraud_model import MODEL_FILES

logger = logging.getLogger("sentinel.registry")

MAX_FILE_BYTES = 512 * 1024 * 1024
KEPT_VERSIONS = 5
_UNFINISHED = ".unfinished-"
_ABANDONED_AFTER_S = 3600.0


class DiskCache:
    """Keeps versions below a root directory; from any thread and several processes.

    Args:
        reader: where versions come from. root: where they go; made when it is not there.
    """

    def __init__(self, reader: RegistryReader, root: Path) -> None:
        self._reader = reader
        self._root = root

    def find(self, version: RegisteredVersion) -> Path | None:
        """Return the version's folder if it is here, which counts as a use."""
        folder = self._folder(version)
        try:
            os.utime(folder)
        except OSError:
            return None
        return folder

    def fetch(self, version: RegisteredVersion) -> Path:
        """Download the version, and let go of those of its name used least lately.

        Raises:
            ModelRefused: a file is missing or too large. RegistryUnavailable: MLflow is away.
        """
        with self._unfinished(version.name) as arriving:
            self._download(version, MLMODEL, arriving / MLMODEL, MAX_MLMODEL_BYTES)
            for name in MODEL_FILES:
                self._download(version, f"{MODEL_PATH}/{name}", arriving / name, MAX_FILE_BYTES)
            # Another process may have been faster; its folder is as good.
            with suppress(OSError):
                arriving.rename(self._folder(version))
        return self._folder(version)

    def discard(self, version: RegisteredVersion) -> None:
        """Remove the version's folder, if it is here."""
        self._remove(self._folder(version))

    def prune(self, name: str) -> None:
        """Remove all but the versions used last, and what was never finished.

        What is remembered stays, whenever it was used: a start without MLflow needs it.
        """
        home = self._home(name)
        remembered = [self.remembered(name, memo.stem) for memo in home.glob("*.json")]
        serving = {self._folder(version) for version in remembered if version}
        folders: list[tuple[float, Path]] = []
        for path in home.iterdir():
            with suppress(FileNotFoundError):
                used_s = path.stat().st_mtime
                if path.is_dir() and not path.name.startswith(_UNFINISHED):
                    folders.append((used_s, path))
                elif (
                    path.name.startswith(_UNFINISHED) and time.time() - used_s > _ABANDONED_AFTER_S
                ):
                    self._remove(path)
        for _, path in sorted(folders, reverse=True)[KEPT_VERSIONS:]:
            if path not in serving:
                self._remove(path)

    def remember(self, name: str, alias: str, version: RegisteredVersion | None) -> None:
        """Keep what serves under an alias for a start without MLflow; None forgets it."""
        path = self._memo(name, alias)
        if version is None:
            path.unlink(missing_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", dir=path.parent, prefix=_UNFINISHED, delete=False
        ) as file:
            json.dump(asdict(version), file)
        Path(file.name).replace(path)

    def remembered(self, name: str, alias: str) -> RegisteredVersion | None:
        """Return what served under an alias last."""
        path = self._memo(name, alias)
        try:
            found = RegisteredVersion(**json.loads(path.read_bytes()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            logger.warning("%s cannot be read: %s", path, error)
            return None
        return found

    def _download(self, version: RegisteredVersion, path: str, to: Path, max_bytes: int) -> None:
        if not self._reader.download(version, path, to, max_bytes):
            raise ModelRefused(f"{to.name} is missing")

    def _remove(self, path: Path) -> None:
        """Take a folder away at once, so that nobody finds half of it."""
        doomed = path.with_name(f"{_UNFINISHED}{os.getpid()}-{time.monotonic_ns()}")
        with suppress(OSError):
            path.rename(doomed)
            if doomed.is_dir():
                shutil.rmtree(doomed, ignore_errors=True)
            else:
                doomed.unlink()

    @contextmanager
    def _unfinished(self, name: str) -> Iterator[Path]:
        home = self._home(name)
        home.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=home))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _home(self, name: str) -> Path:
        return self._root / quote(name, safe="").replace(".", "%2E")

    def _folder(self, version: RegisteredVersion) -> Path:
        return self._home(version.name) / f"{version.version}-{version.created_ms}"

    def _memo(self, name: str, alias: str) -> Path:
        return self._home(name) / f"{alias}.json"


def digest(folder: Path) -> str:
    """Return what tells a model from every other: SHA-256 over its five files.

    Raises:
        ModelRefused: one of them is missing.
    """
    whole = hashlib.sha256()
    for name in MODEL_FILES:
        try:
            with (folder / name).open("rb") as file:
                whole.update(hashlib.file_digest(file, "sha256").digest())
        except FileNotFoundError as error:
            raise ModelRefused(f"{name} is missing") from error
    return whole.hexdigest()

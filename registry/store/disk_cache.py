"""Model versions on disk: complete downloads only, the five used last of each registered model.

    <root>/<registered model>/<version>-<created_ms>/   the five files, MLmodel, and their digest
    <root>/<registered model>/production.json           version that serves a start without MLflow

Processes may share a root: a folder is renamed into place and renamed before it is removed.
Any name has a folder: a name that is long, or has other characters than lower-case ASCII letters,
digits, `-` and `_`, has one named by its digest, because file systems limit a name to 255 bytes,
and some ignore case and Unicode's normal forms.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from registry.client.base import RegisteredVersion, RegistryReader
from registry.names import MLMODEL, MODEL_PATH
from registry.verify.signature import MAX_BYTES as MAX_MLMODEL_BYTES
from scoring.errors import ModelRefused
from scoring.model.fraud_model import MODEL_FILES

logger = logging.getLogger("sentinel.registry")

MAX_FILE_BYTES = 8 * 1024 * 1024
"""Largest size of a file of a model. A booster of 31,500 leaves has 3.2 MB and the event type of a
features.json at most 1 MB; 8 MB of JSON that is nothing but lists take 250 MB while it is read."""
KEPT_VERSIONS = 5
_UNFINISHED = ".unfinished-"
_ABANDONED_AFTER_S = 3600.0
_ANY = RegisteredVersion("", 0, 0)
_VERIFIED = "verified.sha256"
"""File with the digest that a version's files had when they were verified."""
_PLAIN_NAME = re.compile(r"[a-z0-9_-]{1,100}")


class DiskCache:
    """Keeps versions below a root directory; safe to use from threads and several processes.

    Args:
        reader: client of the registry from which versions are downloaded.
        root: directory of the versions; created if it does not exist.
    """

    def __init__(self, reader: RegistryReader, root: Path) -> None:
        self._reader = reader
        self._root = root

    def find(self, version: RegisteredVersion) -> Path | None:
        """Return the version's folder, or None if it is not on disk; counts as a use."""
        folder = self._folder(version)
        # A cache that is read-only or another user's can be read all the same.
        with suppress(OSError):
            os.utime(folder)
        return folder if folder.is_dir() else None

    def fetch(self, version: RegisteredVersion) -> Path:
        """Download the version and return its folder.

        Raises:
            ModelRefused: a file is missing or too large.
            RegistryUnavailable: MLflow cannot be reached.
            OSError: the disk does not take the version.
        """
        with self._unfinished(version.name) as unfinished:
            self._download(version, MLMODEL, unfinished / MLMODEL, MAX_MLMODEL_BYTES)
            for name in MODEL_FILES:
                self._download(version, f"{MODEL_PATH}/{name}", unfinished / name, MAX_FILE_BYTES)
            folder = self._folder(version)
            try:
                unfinished.rename(folder)
            except OSError:
                # Another process may have put the same version there meanwhile; else something
                # is in its place that is no version.
                if not _is_equal(unfinished, folder):
                    self._remove(folder)
                    unfinished.rename(folder)
        return folder

    def record_digest(self, folder: Path, model_digest: str) -> None:
        """Record the digest of a version's verified files, which `check_digest` compares.

        A disk that does not take it leaves the version as usable as it was.
        """
        record = folder / _VERIFIED
        with suppress(OSError):
            if not record.exists():
                record.write_text(model_digest)

    def check_digest(self, folder: Path, model_digest: str) -> None:
        """Compare the digest of a version's files with that of the verified ones.

        Golden rows do not visit every leaf, so a changed digit in a file could go unnoticed. A
        folder of an earlier release has no record and passes.

        Raises:
            ModelRefused: the files are not those that were verified.
        """
        with suppress(FileNotFoundError):
            if (folder / _VERIFIED).read_text(errors="replace") != model_digest:
                raise ModelRefused("the files are not those that were verified")

    def discard(self, version: RegisteredVersion) -> None:
        """Remove the version's folder, if it is on disk."""
        self._remove(self._folder(version))

    def prune(self, name: str) -> None:
        """Remove a model's versions except the KEPT_VERSIONS used last, and abandoned downloads.

        A remembered version stays, however long ago it was used: a start without MLflow needs it.
        """
        home = self._home(name)
        remembered = [self.remembered(name, record.stem) for record in home.glob("*.json")]
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
        """Store the version that serves under an alias, for a start without MLflow.

        Args:
            name: name of the registered model.
            alias: alias of the version.
            version: version that serves; None removes the record.

        Raises:
            OSError: the disk does not take the record.
        """
        path = self._record(name, alias)
        if version is None:
            path.unlink(missing_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", dir=path.parent, prefix=_UNFINISHED, delete=False
        ) as file:
            unfinished = Path(file.name)
            try:
                json.dump(asdict(version), file)
                file.flush()
                unfinished.replace(path)
            except BaseException:
                unfinished.unlink()
                raise

    def remembered(self, name: str, alias: str) -> RegisteredVersion | None:
        """Return the version that last served under an alias, or None if none is recorded.

        A damaged record is removed.

        Raises:
            OSError: the record cannot be read.
        """
        path = self._record(name, alias)
        try:
            record = json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except (ValueError, RecursionError):
            record = None
        match record:
            case {"name": str(), "version": int(), "created_ms": int(), "tags": dict()} if (
                record["name"] == name
                and record.keys() == asdict(_ANY).keys()
                and all(isinstance(value, str) for value in record["tags"].values())
            ):
                return RegisteredVersion(**record)
        logger.warning("%s is damaged and has no effect", path)
        path.unlink(missing_ok=True)
        return None

    def _download(self, version: RegisteredVersion, path: str, to: Path, max_bytes: int) -> None:
        if not self._reader.download(version, path, to, max_bytes):
            raise ModelRefused(f"{to.name} is missing")

    def _remove(self, path: Path) -> None:
        """Rename a folder or file, then delete it, so that no process reads half of it."""
        renamed = path.with_name(f"{_UNFINISHED}{os.getpid()}-{time.monotonic_ns()}")
        with suppress(OSError):
            path.rename(renamed)
            if renamed.is_dir():
                shutil.rmtree(renamed, ignore_errors=True)
            else:
                renamed.unlink()

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
        if _PLAIN_NAME.fullmatch(name):
            return self._root / name
        name_digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
        return self._root / f"sha256={name_digest}"

    def _folder(self, version: RegisteredVersion) -> Path:
        return self._home(version.name) / f"{version.version}-{version.created_ms}"

    def _record(self, name: str, alias: str) -> Path:
        return self._home(name) / f"{alias}.json"


def reason_of(error: OSError) -> str:
    """Return the reason of an error of the cache, the same for each attempt: no temporary name."""
    if not isinstance(error.filename, str):
        return error.strerror or str(error)
    path = Path(error.filename)
    while path.name.startswith(_UNFINISHED) or _UNFINISHED in path.parent.name:
        path = path.parent
    return f"{error.strerror}: {path}"


def _is_equal(first: Path, second: Path) -> bool:
    """Whether two folders hold the same files of a version."""
    try:
        descriptions = ((folder / MLMODEL).read_bytes() for folder in (first, second))
        return digest(first) == digest(second) and next(descriptions) == next(descriptions)
    except (ModelRefused, OSError):
        return False


def digest(folder: Path) -> str:
    """Return the SHA-256 over a model's five files, which identifies the model.

    Raises:
        ModelRefused: a file is missing.
    """
    whole = hashlib.sha256()
    for name in MODEL_FILES:
        try:
            with (folder / name).open("rb") as file:
                whole.update(hashlib.file_digest(file, "sha256").digest())
        except FileNotFoundError as error:
            raise ModelRefused(f"{name} is missing") from error
    return whole.hexdigest()

"""The shelf: model versions on disk and in memory, verified before they may serve.

A version is downloaded into a folder of its own, checked (files, features, golden rows), and only
then renamed into place, so that what lies on the shelf has always been whole. The last version
that served under the alias is remembered, so that a service can start while MLflow is away.
"""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from urllib.parse import quote

from registry.names import PRODUCTION
from registry.reader import RegisteredVersion, RegistryReader, RegistryUnavailable
from scoring.errors import ModelRefused
from scoring.model import MODEL_FILES, FraudModel
from scoring.prediction import ModelVersion

logger = logging.getLogger("sentinel.registry")

REFUSED_TAG = "sentinel.refused"


class Shelf:
    """Follows the `production` alias of registered models; not thread-safe, one thread polls it."""

    def __init__(
        self,
        reader: RegistryReader,
        root: Path,
        on_refusal: Callable[[RegisteredVersion, str], None] = lambda _version, _reason: None,
    ) -> None:
        self._reader = reader
        self._root = root
        self._on_refusal = on_refusal
        self._serving: dict[str, tuple[RegisteredVersion, FraudModel]] = {}
        self._refused: dict[str, RegisteredVersion] = {}

    def current(self, name: str) -> FraudModel | None:
        """Return the model that should serve now, loading a new version when the alias has moved.

        None when no version is under the alias, or none that passed its checks has served yet. A
        refused version leaves the one before it in place; so does an MLflow that is away.
        """
        try:
            wanted = self._reader.resolve(name, PRODUCTION)
        except RegistryUnavailable as error:
            return self._without_registry(name, error)
        if wanted is None:
            self._serving.pop(name, None)
            self._remembered_path(name).unlink(missing_ok=True)
            return None
        serving = self._serving.get(name)
        if serving is None or serving[0] != wanted:
            self._try(wanted)
            serving = self._serving.get(name)
        return serving[1] if serving else None

    def load(self, version: RegisteredVersion) -> FraudModel:
        """Take the version from disk, or download it.

        Raises:
            ModelRefused: it failed a check. RegistryUnavailable: MLflow did not deliver.
        """
        served_as = ModelVersion(version.name, version.version)
        folder = self._folder(version.name) / f"{version.version}-{version.created_ms}"
        if folder.is_dir():
            return FraudModel.load(folder, served_as)
        self._folder(version.name).mkdir(parents=True, exist_ok=True)
        arriving = Path(tempfile.mkdtemp(prefix=".arriving-", dir=self._folder(version.name)))
        try:
            for file_name in MODEL_FILES:
                content = self._reader.read_file(version, file_name)
                if content is None:
                    raise ModelRefused(f"{file_name} is missing")
                (arriving / file_name).write_bytes(content)
            model = FraudModel.load(arriving, served_as)
            if not folder.is_dir():
                arriving.rename(folder)
        finally:
            shutil.rmtree(arriving, ignore_errors=True)
        return model

    def _try(self, wanted: RegisteredVersion) -> None:
        if self._refused.get(wanted.name) == wanted:
            return
        try:
            model = self.load(wanted)
        except RegistryUnavailable as error:
            logger.warning("%s version %d: %s", wanted.name, wanted.version, error)
            return
        except ModelRefused as error:
            self._refuse(wanted, error.detail)
            return
        self._refused.pop(wanted.name, None)
        self._serving[wanted.name] = (wanted, model)
        self._remember(wanted)
        logger.info("%s version %d is in production", wanted.name, wanted.version)

    def _refuse(self, version: RegisteredVersion, reason: str) -> None:
        logger.error("%s version %d is refused: %s", version.name, version.version, reason)
        self._refused[version.name] = version
        self._on_refusal(version, reason)
        try:
            self._reader.tag(version, REFUSED_TAG, reason)
        except RegistryUnavailable as error:
            logger.warning("the refusal could not be tagged: %s", error)

    def _without_registry(self, name: str, error: RegistryUnavailable) -> FraudModel | None:
        if name in self._serving:
            return self._serving[name][1]
        remembered = self._remembered_path(name)
        if not remembered.is_file():
            logger.warning("%s has no version on disk, and %s", name, error)
            return None
        version = RegisteredVersion(**json.loads(remembered.read_bytes()))
        logger.warning("%s; serving %s version %d from disk", error, name, version.version)
        self._try(version)
        return self._serving[name][1] if name in self._serving else None

    def _remember(self, version: RegisteredVersion) -> None:
        path = self._remembered_path(version.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
            json.dump(asdict(version), file)
        Path(file.name).replace(path)

    def _folder(self, name: str) -> Path:
        return self._root / quote(name, safe="")

    def _remembered_path(self, name: str) -> Path:
        return self._folder(name) / "production.json"

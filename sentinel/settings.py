"""Settings from the environment: the service and the commands read them and pass them as values."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from scoring.errors import CommandError


class SettingsError(CommandError):
    """A setting is missing or contradicts another; the message names it and what to do."""


class Settings(BaseSettings):
    """All settings of an installation. No secret has a default.

    `DATABASE_URL` unset means an embedded Postgres under `home`; `MLFLOW_TRACKING_URI` unset means
    SQLite under `home`.
    """

    model_config = SettingsConfigDict(env_prefix="SENTINEL_", extra="ignore", frozen=True)

    database_url: str | None = Field(default=None, validation_alias="DATABASE_URL")
    mlflow_tracking_uri: str | None = Field(default=None, validation_alias="MLFLOW_TRACKING_URI")
    home: Path = Field(default=Path(".sentinel"), description="state of this installation")
    key_secret: str | None = Field(default=None, description="keys the hashes of API keys")
    second_key_secret: str | None = Field(
        default=None,
        description="valid beside key_secret while it is rotated; new hashes use key_secret",
    )
    # A promotion is served within a second: at most 0.5 s until the next poll, and 0.2 s for a poll
    # of 500 registered models (0.03 s for 20) if the version is in the cache.
    alias_poll_seconds: float = Field(default=0.5, gt=0, le=60)
    models_in_memory: int = Field(
        default=64,
        ge=1,
        description="different models in memory; the least recently used is evicted first",
    )
    log_format: Literal["json", "text"] | None = Field(
        default=None,
        description="format of the log on stderr; unset: text on a terminal, else JSON",
    )
    log_level: Literal["info", "warning", "error"] = Field(
        default="info", description="lowest level that is logged; batches are logged at info"
    )
    otlp_endpoint: str | None = Field(
        default=None,
        validation_alias=AliasChoices(
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"
        ),
        description="endpoint that traces are sent to; unset: none are made",
    )

    @cached_property
    def home_path(self) -> Path:
        """`home` as an absolute path; not created."""
        return self.home.expanduser().resolve()

    @property
    def tracking_uri(self) -> str:
        """The URI of MLflow: the set one, else that of SQLite under `home`."""
        return self.mlflow_tracking_uri or f"sqlite:///{self.home_path / 'mlflow.db'}"

    @property
    def artifact_root(self) -> Path:
        """The directory of the artefacts when MLflow is the SQLite under `home`."""
        return self.home_path / "mlartifacts"

    @property
    def model_cache(self) -> Path:
        """The directory of the model versions that this machine has downloaded and verified."""
        return self.home_path / "models"

    def resolve_key_secrets(self) -> tuple[bytes, ...]:
        """Return the secrets that key the hashes of API keys; new hashes use the first.

        With the embedded Postgres a random secret is made once and kept beside it, readable only by
        the owner; another database needs the setting.

        Raises:
            SettingsError: DATABASE_URL is set and SENTINEL_KEY_SECRET is not.
        """
        second = (self.second_key_secret.encode(),) if self.second_key_secret else ()
        return (self._first_key_secret(), *second)

    def _first_key_secret(self) -> bytes:
        if self.key_secret:
            return self.key_secret.encode()
        if self.database_url:
            raise SettingsError(
                "SENTINEL_KEY_SECRET is not set. It keys the hashes of API keys; with DATABASE_URL "
                "set it has to be set too, to the same value in every process."
            )
        path = self.home_path / "key_secret"
        self.home_path.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            # Linked into place when complete, so that no concurrent start reads half of it.
            unfinished = path.with_name(f"{path.name}.{os.getpid()}")
            unfinished.touch(mode=0o600)
            unfinished.write_text(secrets.token_hex(32))
            with suppress(FileExistsError):
                os.link(unfinished, path)
            unfinished.unlink()
        return path.read_bytes()

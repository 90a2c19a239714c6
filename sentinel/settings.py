"""Settings from the environment: read at the edges (service, commands), passed in as values."""

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
    """A setting is missing or contradicts another; the message says which and what to do."""


class Settings(BaseSettings):
    """Everything an operator may set. No secret has a default.

    `DATABASE_URL` unset means an embedded Postgres under `home`; `MLFLOW_TRACKING_URI` unset means
    SQLite under `home`.
    """

    model_config = SettingsConfigDict(env_prefix="SENTINEL_", extra="ignore", frozen=True)

    database_url: str | None = Field(default=None, validation_alias="DATABASE_URL")
    mlflow_tracking_uri: str | None = Field(default=None, validation_alias="MLFLOW_TRACKING_URI")
    home: Path = Field(default=Path(".sentinel"), description="state of this installation")
    key_secret: str | None = Field(default=None, description="keys the hashes of API keys")
    # A promotion is served within a second: half of it at most until the next look, and 0.2 s for a
    # look at 500 registered models (0.03 s at 20) where the version was in use lately.
    alias_poll_seconds: float = Field(default=0.5, gt=0, le=60)
    models_in_memory: int = Field(
        default=64, ge=1, description="different models in memory; least lately used go first"
    )
    log_format: Literal["json", "text"] | None = Field(
        default=None, description="of the log on stderr; unset: text on a terminal, else JSON"
    )
    log_level: Literal["info", "warning", "error"] = Field(
        default="info", description="from which on records are kept; batches are told at info"
    )
    otlp_endpoint: str | None = Field(
        default=None,
        validation_alias=AliasChoices(
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"
        ),
        description="where traces go; unset: none are made",
    )

    @cached_property
    def home_path(self) -> Path:
        """`home` as an absolute path; not created."""
        return self.home.expanduser().resolve()

    @property
    def tracking_uri(self) -> str:
        """Where MLflow is: the set URI, else SQLite under `home`."""
        return self.mlflow_tracking_uri or f"sqlite:///{self.home_path / 'mlflow.db'}"

    @property
    def artifact_root(self) -> Path:
        """Where artifacts lie when MLflow is the SQLite under `home`."""
        return self.home_path / "mlartifacts"

    @property
    def model_cache(self) -> Path:
        """Model versions that this machine has downloaded and verified."""
        return self.home_path / "models"

    def resolve_key_secret(self) -> bytes:
        """Return the secret that keys API-key hashes.

        With the embedded database a random one is made once and kept beside it, readable by the
        owner alone; a database of your own needs a secret of your own.

        Raises:
            SettingsError: DATABASE_URL is set and SENTINEL_KEY_SECRET is not.
        """
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
            # Linked into place whole: a process that starts at the same time never reads half.
            unfinished = path.with_name(f"{path.name}.{os.getpid()}")
            unfinished.touch(mode=0o600)
            unfinished.write_text(secrets.token_hex(32))
            with suppress(FileExistsError):
                os.link(unfinished, path)
            unfinished.unlink()
        return path.read_bytes()

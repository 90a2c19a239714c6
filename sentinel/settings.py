"""Settings from the environment: the service and the commands read them and pass them as values."""

from __future__ import annotations

import os
import re
import secrets
from contextlib import suppress
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import AliasChoices, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from scoring.errors import CommandError
from scoring.redaction import shown_url
from sentinel.home import (
    MLFLOW_DATABASE,
    prepare_home,
    private_database,
    private_directory,
)

_SECRETS = ("metrics_token",)
"""Settings whose value no error may quote; other secrets can have any value."""


class OpenIdSettings(NamedTuple):
    """How the console reaches an OpenID Connect provider.

    Attributes:
        issuer: address of the provider.
        client_id: id of this service at the provider.
        client_secret: secret of that id.
        name: name of the provider on the button.
    """

    issuer: str
    client_id: str
    client_secret: str
    name: str

    def __repr__(self) -> str:
        """Return the values but the secret."""
        return f"OpenIdSettings(issuer={self.issuer!r}, client_id={self.client_id!r})"


class SettingsError(CommandError):
    """A setting is missing or contradicts another; the message names it and what to do."""


class Settings(BaseSettings):
    """All settings of an installation. No secret has a default.

    `DATABASE_URL` unset means an embedded Postgres under `home`; `MLFLOW_TRACKING_URI` unset means
    SQLite under `home`.
    """

    model_config = SettingsConfigDict(env_prefix="SENTINEL_", extra="ignore", frozen=True)

    database_url: str | None = Field(default=None, validation_alias="DATABASE_URL", repr=False)
    mlflow_tracking_uri: str | None = Field(
        default=None, validation_alias="MLFLOW_TRACKING_URI", repr=False
    )
    mlflow_registry_uri: str | None = Field(
        default=None, validation_alias="MLFLOW_REGISTRY_URI", repr=False
    )
    home: Path = Field(default=Path(".sentinel"), description="state of this installation")
    key_secret: str | None = Field(
        default=None, description="keys the hashes of API keys", repr=False
    )
    second_key_secret: str | None = Field(
        default=None,
        description="valid beside key_secret while it is rotated; new hashes use key_secret",
        repr=False,
    )
    # A promotion is served within a second: at most 0.5 s until the next poll, and 0.2 s for a poll
    # of 500 registered models (0.03 s for 20) if the version is in the cache.
    alias_poll_seconds: float = Field(default=0.5, gt=0, le=60)
    models_in_memory: int = Field(
        default=64,
        ge=1,
        description="different models in memory; the least recently used is evicted first",
    )
    journal_dir: Path | None = Field(
        default=None,
        description="folder of decisions that are made while Postgres is away; unset: under home",
    )
    journal_max_bytes: int = Field(
        default=256 << 20,
        ge=1 << 20,
        description="largest size of a process's journal; then payments are refused",
    )
    journal_key_seconds: float = Field(
        default=900,
        ge=0,
        le=86_400,
        description="seconds that an API key is valid after its last verification while Postgres "
        "is away, so the longest that a revoked key still works then",
    )
    seal_key: Path | None = Field(
        default=None,
        description="file of the key that signs the heads of the sealed logs; unset: under home",
    )
    seal_heads: Path | None = Field(
        default=None,
        description="folder that the signed heads are exported to; unset: under home",
    )
    log_format: Literal["json", "text"] | None = Field(
        default=None,
        description="format of the log on stderr; unset: text on a terminal, else JSON",
    )
    log_level: Literal["info", "warning", "error"] = Field(
        default="info", description="lowest level that is logged; batches are logged at info"
    )
    docs: bool = Field(
        default=True, description="whether /docs and /openapi.json are served; false: 404"
    )
    metrics: bool = Field(default=True, description="whether /metrics is served; false: 404")
    metrics_token: str | None = Field(
        default=None,
        min_length=16,
        description="token that a scrape of /metrics has to send; unset: none",
        repr=False,
    )
    public_url: str | None = Field(
        default=None,
        description="address at which people open the console, such as https://sentinel.bank; "
        "unset: that of each request",
    )
    mlflow_public_url: str | None = Field(
        default=None,
        description="address at which people open MLflow, such as https://mlflow.bank; unset: "
        "MLFLOW_TRACKING_URI where that is this machine, otherwise no links",
        repr=False,
    )
    trusted_proxies: str | None = Field(
        default=None,
        description="addresses or networks of the proxies in front of the service and of nothing "
        "else, such as `10.1.2.3`, apart by commas: failed sign-ins are limited by the address "
        "that they name; 127.0.0.1 where there is none; unset: not limited by address",
    )
    oidc_issuer: str | None = Field(
        default=None, description="OpenID Connect provider of the console; unset: passwords only"
    )
    oidc_client_id: str | None = Field(default=None, description="this service's id there")
    oidc_client_secret: str | None = Field(default=None, repr=False)
    oidc_name: str = Field(default="OpenID Connect", description="the provider's name on a button")
    otlp_endpoint: str | None = Field(
        default=None,
        validation_alias=AliasChoices(
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"
        ),
        description="endpoint that traces are sent to; unset: none are made",
        repr=False,
    )

    def __init__(self) -> None:
        """Read the environment.

        Raises:
            SettingsError: a value is not valid; the message names its variable.
        """
        try:
            super().__init__()
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            name = str(first["loc"][0])
            variable = name if name.isupper() else f"SENTINEL_{name.upper()}"
            is_secret = name in _SECRETS
            given = "not valid" if is_secret else repr(first["input"])
            message = f"{variable} is {given}: {first['msg'][0].lower()}{first['msg'][1:]}."
            # The cause holds the value.
            raise SettingsError(message) from (None if is_secret else error)

    @cached_property
    def home_path(self) -> Path:
        """`home` as an absolute path; not created.

        Raises:
            SettingsError: it cannot be made absolute.
        """
        try:
            return self.home.expanduser().resolve()
        except FileNotFoundError as error:
            raise SettingsError(
                "The working directory has been removed: change to one that exists, or set "
                "SENTINEL_HOME to an absolute path."
            ) from error
        except (OSError, RuntimeError) as error:  # RuntimeError: a `~` without a home
            reason = str(error).rstrip(".")
            raise SettingsError(f"SENTINEL_HOME={self.home} cannot be used: {reason}.") from error

    @property
    def tracking_uri(self) -> str:
        """The URI of MLflow: the set one, else that of SQLite under `home`.

        Raises:
            SettingsError: MLFLOW_REGISTRY_URI is set to another URI, or the path of `home` cannot
                be part of a URI.
        """
        uri = (self.mlflow_tracking_uri or "").strip() or self._sqlite_uri()
        registry = (self.mlflow_registry_uri or "").strip() or uri
        if registry.rstrip("/") != uri.rstrip("/"):
            raise SettingsError(
                f"MLFLOW_REGISTRY_URI is {shown_url(registry)} and MLflow's tracking URI is "
                f"{shown_url(uri)}. Sentinel keeps runs and models in one MLflow: unset "
                "MLFLOW_REGISTRY_URI, or set MLFLOW_TRACKING_URI to it."
            )
        return uri

    def _sqlite_uri(self) -> str:
        path = str(self.home_path / MLFLOW_DATABASE)
        if "?" in path:  # SQLAlchemy ends the path there, and has no escape
            raise SettingsError(
                f"SENTINEL_HOME={self.home_path} has a question mark, which the URI of a SQLite "
                "file cannot hold: choose another directory, or set MLFLOW_TRACKING_URI."
            )
        return f"sqlite:///{path}"

    @property
    def artifact_root(self) -> Path:
        """The directory of the artefacts when MLflow is the SQLite under `home`."""
        return self.home_path / "mlartifacts"

    @property
    def model_cache(self) -> Path:
        """The directory of the model versions that this machine has downloaded and verified."""
        return self.home_path / "models"

    @property
    def journal_path(self) -> Path:
        """The directory of decisions that are not in Postgres yet."""
        if self.journal_dir is None:
            return self.home_path / "journal"
        return self.journal_dir.expanduser().absolute()

    @property
    def seal_key_path(self) -> Path:
        """The file of the key that signs the heads of the sealed logs."""
        if self.seal_key is None:
            return self.home_path / "seal.key"
        return self.seal_key.expanduser().absolute()

    @property
    def seal_heads_path(self) -> Path:
        """The folder of the exported heads."""
        if self.seal_heads is None:
            return self.home_path / "heads"
        return self.seal_heads.expanduser().absolute()

    @property
    def openid(self) -> OpenIdSettings | None:
        """How people sign in at an OpenID Connect provider; None: with passwords only.

        Raises:
            SettingsError: a part is missing.
        """
        parts = (self.oidc_issuer, self.oidc_client_id, self.oidc_client_secret)
        if not any(parts):
            return None
        if not (self.oidc_issuer and self.oidc_client_id and self.oidc_client_secret):
            raise SettingsError(
                "Sign-in by OpenID Connect needs SENTINEL_OIDC_ISSUER, SENTINEL_OIDC_CLIENT_ID and "
                "SENTINEL_OIDC_CLIENT_SECRET together."
            )
        return OpenIdSettings(
            self.oidc_issuer, self.oidc_client_id, self.oidc_client_secret, self.oidc_name
        )

    @property
    def mlflow_link(self) -> str | None:
        """The address at which people open MLflow; None: it is not set.

        Raises:
            SettingsError: it is no address for a link: a script, or one with a login.
        """
        address = (self.mlflow_public_url or "").strip()
        if address and not re.fullmatch(r"https?://[^@\s?#]+", address):
            raise SettingsError(
                f"SENTINEL_MLFLOW_PUBLIC_URL is {shown_url(address)!r}; set it to an http(s):// "
                "address without a login."
            )
        return address or None

    @property
    def proxies(self) -> list[IPv4Network | IPv6Network] | None:
        """The networks of the proxies in front of the service; None: they are not known.

        Raises:
            SettingsError: one is no network.
        """
        if not (self.trusted_proxies or "").strip():
            return None
        try:
            return [ip_network(one.strip()) for one in str(self.trusted_proxies).split(",")]
        except ValueError as error:
            raise SettingsError(
                f"SENTINEL_TRUSTED_PROXIES={self.trusted_proxies}: {error}; write addresses or "
                "networks such as 10.1.2.3,192.168.1.0/28."
            ) from error

    def create_home(self) -> None:
        """Create the home, and the places that the service and training write to.

        Raises:
            OSError: a place cannot be created.
        """
        prepare_home(self.home_path)
        private_directory(self.model_cache)
        private_directory(self.journal_path)
        if not (self.mlflow_tracking_uri or "").strip():
            private_directory(self.artifact_root)
            private_database(self.home_path / MLFLOW_DATABASE)

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
        prepare_home(self.home_path)
        if not path.exists():
            # Linked into place when complete, so that no concurrent start reads half of it.
            unfinished = path.with_name(f"{path.name}.{os.getpid()}")
            unfinished.touch(mode=0o600)
            unfinished.write_text(secrets.token_hex(32))
            with suppress(FileExistsError):
                os.link(unfinished, path)
            unfinished.unlink()
        return path.read_bytes()

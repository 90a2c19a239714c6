"""Move the alias `production`, and record on the version who moved it, when and why."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from mlflow import MlflowClient

from registry.client.base import RegisteredVersion
from registry.client.mlflow_errors import translate_errors
from registry.names import (
    CHALLENGER,
    PRODUCTION,
    PROMOTED_AT_TAG,
    PROMOTED_BY_TAG,
    PROMOTED_VIA_TAG,
)
from registry.publish.tracking import PublishError

EVIDENCE_TAG = "sentinel.promotion_evidence"


@dataclass(frozen=True, slots=True)
class Promotion:
    """The record of a promotion on the version's page.

    Attributes:
        by: person who promotes the version.
        via: command that the person uses.
        evidence: sentence that gives the reason, with the address of the comparison if there is
            one.
    """

    by: str
    via: str
    evidence: str


def promote(client: MlflowClient, version: RegisteredVersion, promotion: Promotion) -> None:
    """Put a version under `production`; every service serves it within a second.

    If the version was the challenger, it loses that alias. The tags are set first and restored when
    the alias does not move, so a failure leaves the version unchanged.

    Raises:
        PublishError: MLflow refuses the promotion or does not respond.
    """
    with translate_errors(
        lambda reason: PublishError(f"MLflow did not promote {version.name}: {reason}.")
    ):
        _promote(client, version, promotion)


def _promote(client: MlflowClient, version: RegisteredVersion, promotion: Promotion) -> None:
    name, number = version.name, str(version.version)
    tags = {
        PROMOTED_BY_TAG: promotion.by,
        PROMOTED_VIA_TAG: promotion.via,
        PROMOTED_AT_TAG: datetime.now(UTC).isoformat(timespec="milliseconds"),
        EVIDENCE_TAG: promotion.evidence,
    }
    try:
        for key, value in tags.items():
            client.set_model_version_tag(name, number, key, value)
        client.set_registered_model_alias(name, PRODUCTION, number)
    except BaseException:
        for key in tags:
            with suppress(Exception):
                _restore(client, version, key)
        raise
    if client.get_registered_model(name).aliases.get(CHALLENGER) == number:
        client.delete_registered_model_alias(name, CHALLENGER)


def _restore(client: MlflowClient, version: RegisteredVersion, key: str) -> None:
    name, number = version.name, str(version.version)
    if key in version.tags:
        client.set_model_version_tag(name, number, key, version.tags[key])
    else:
        client.delete_model_version_tag(name, number, key)

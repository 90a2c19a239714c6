"""Promote a version, if it is shown to save more money than the one in production."""

from __future__ import annotations

from collections.abc import Callable

from registry.client.base import RegisteredVersion, RegistryReader
from registry.names import PRODUCTION
from registry.publish.promotion import Promotion
from registry.publish.promotion import promote as move
from registry.publish.tracking import Tracking
from training.comparison.compare import Compared
from training.errors import NoEvidence, TrainingError


def promote(
    version: RegisteredVersion,
    production: RegisteredVersion | None,
    compared: Callable[[RegisteredVersion], Compared],
    *,
    by: str,
    force: bool,
    tracking: Tracking,
    registry: RegistryReader,
) -> tuple[str, Compared | None]:
    """Put a verified version under `production`.

    Args:
        version: has passed the service's checks.
        production: what is there now; None for the first promotion, which is not compared.
        compared: compares it with what is there now.
        by: who promotes.
        force: promote it even if it is not shown to be better, or cannot be compared.
        tracking, registry: MLflow.

    Returns:
        What was done, in a sentence, and the comparison that it rests on, if any.

    Raises:
        TrainingError: the version is not shown to be better, or cannot be compared; or another one
            has come into production meanwhile.
        PublishError: MLflow refuses.
    """
    found = None
    if production is None:
        evidence = "The first promotion: there was nothing in production to compare it with."
    else:
        try:
            found = compared(production)
        except NoEvidence as error:
            if not force:
                raise NoEvidence(f"{error} Promote it all the same with --force.") from error
            evidence = f"Not compared. {error}"
        else:
            evidence = _evidence(found)
            if not found.comparison.is_better and not force:
                raise NotBetter(found)
    there = registry.resolve(version.name, PRODUCTION)
    if there != production:
        now = f"version {there.version}" if there else "no version"
        raise TrainingError(
            f"{version.name} has got {now} in production meanwhile; nothing was promoted. "
            "Start again."
        )
    if force and not (found and found.comparison.is_better):
        evidence = f"Forced. {evidence}"
    move(tracking.client, version, Promotion(by, evidence))
    return f"{version.name} version {version.version} is in production. {evidence}", found


class NotBetter(TrainingError):
    """The version is not shown to save more than the one in production."""

    def __init__(self, compared: Compared) -> None:
        super().__init__(f"{compared.sentence[:-1]}; promote it all the same with --force.")
        self.compared = compared


def _evidence(compared: Compared) -> str:
    where = compared.run_url or f"MLflow run {compared.run_id}"
    return f"{compared.sentence} {where}"

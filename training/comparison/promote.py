"""Promote a version that is shown to save more money than the one in production."""

from __future__ import annotations

from collections.abc import Callable

from persistence.actor import Actor
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
    promoter: Actor,
    force: bool,
    tracking: Tracking,
    registry: RegistryReader,
) -> tuple[str, Compared | None]:
    """Move the alias `production` to a verified version.

    Args:
        version: version that has passed the service's checks.
        production: version in production; None for the first promotion, which needs no comparison.
        compared: function that compares the version with the one in production.
        promoter: user who promotes, and the command.
        force: whether to promote it even if it is not shown to be better, or cannot be compared.
        tracking: MLflow client that moves the alias.
        registry: reader of the aliases.

    Returns:
        Sentences on why it was promoted, and the comparison that it is based on, if any.

    Raises:
        TrainingError: the version is not shown to be better, or cannot be compared; or another
            version has become production since the comparison began.
        PublishError: MLflow refuses a request.
    """
    comparison = None
    if production is None:
        evidence = "The first promotion: no version was in production to compare it with."
    else:
        try:
            comparison = compared(production)
        except NoEvidence as error:
            if not force:
                raise NoEvidence(f"{error} Use --force to promote it anyway.") from error
            evidence = f"Not compared. {error.reason}"
        else:
            evidence = _evidence(comparison)
            if not comparison.comparison.is_better and not force:
                raise NotBetter(comparison)
    current = registry.resolve(version.name, PRODUCTION)
    if current != production:
        now = f"version {current.version}" if current else "no version"
        raise TrainingError(
            f"{version.name} has {now} in production since the comparison began; nothing was "
            "promoted. Run the command again."
        )
    if force and not (comparison and comparison.comparison.is_better):
        evidence = f"Forced. {evidence}"
    move(tracking.client, version, Promotion(promoter.name, promoter.via or "", evidence))
    return evidence, comparison


class NotBetter(TrainingError):
    """The version is not shown to save more than the one in production."""

    def __init__(self, compared: Compared) -> None:
        super().__init__(f"{compared.sentence} Use --force to promote it anyway.")
        self.compared = compared


def _evidence(compared: Compared) -> str:
    where = compared.run_url or f"MLflow run {compared.run_id}"
    return f"{compared.sentence} {where}"

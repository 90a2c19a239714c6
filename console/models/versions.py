"""A tenant's model versions as pages show them: those that served, wait or were refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from urllib.parse import quote

from api.models.effective_policy import TenantDeployment
from persistence.deployments.approvals import Approval
from persistence.deployments.refusals import Refusal
from persistence.deployments.served_versions import ServedVersion
from persistence.review.audit import AuditEntry
from scoring.prediction import ModelVersion

Status = Literal["production", "challenger", "waits", "refused", "earlier", "approved"]
_NAMED_ACTIONS = {
    "promotion.created": "promoted",
    "promotion.changed": "promoted",
    "challenger.created": "challenger",
    "challenger.changed": "challenger",
    "challenger.removed": "challenger_removed",
    "approval.created": "approved",
}


@dataclass(frozen=True, slots=True)
class ShownVersion:
    """A model version.

    Attributes:
        model: name and number.
        statuses: what it is now; at least one.
        served: version as it served; None where it never did.
        approvals: approvals, the first one first.
        refusals: refusals that still count, the latest first.
    """

    model: ModelVersion
    statuses: tuple[Status, ...]
    served: ServedVersion | None
    approvals: list[Approval]
    refusals: list[Refusal]


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """A change of a version's roles.

    Attributes:
        kind: key of its text.
        at: time.
        actor: who made it, as the audit log names them.
        text: note of an approval, or reason of a refusal; else None.
        canary_percent: share of accounts that the challenger decides for; None of other changes.
    """

    kind: str
    at: datetime
    actor: str
    text: str | None = None
    canary_percent: float | None = None


def mlflow_page(address: str | None, model: str, version: int | None = None) -> str | None:
    """Return the address of a registered model or of a version in MLflow; None without one.

    Args:
        address: address at which people open MLflow.
        model: name of the registered model.
        version: number of the version; None: all of them.
    """
    if address is None:
        return None
    of_version = "" if version is None else f"/versions/{version}"
    return f"{address.rstrip('/')}/#/models/{quote(model, safe='')}{of_version}"


def shown_versions(
    deployment: TenantDeployment, approvals: Sequence[Approval], refusals: Sequence[Refusal]
) -> list[ShownVersion]:
    """Return every version that is known of, the highest number first.

    Args:
        deployment: versions that served.
        approvals: latest approvals, the latest first.
        refusals: latest refusals, the latest first.
    """
    served = {one.model: one for one in deployment.versions}
    approved: dict[ModelVersion, list[Approval]] = {}
    for approval in reversed(approvals):
        key = ModelVersion(approval.approved.name, approval.approved.version)
        approved.setdefault(key, []).append(approval)
    refused: dict[ModelVersion, list[Refusal]] = {}
    for refusal in refusals:
        refused.setdefault(ModelVersion(refusal.name, refusal.version), []).append(refusal)
    known = {*served, *approved, *refused}
    return [
        ShownVersion(
            model,
            _statuses(served.get(model), refused.get(model, []), is_approved=model in approved),
            served.get(model),
            approved.get(model, []),
            refused.get(model, []),
        )
        for model in sorted(known, key=lambda one: (one.version, one.name), reverse=True)
    ]


def history(entries: Sequence[AuditEntry]) -> list[HistoryEntry]:
    """Return what the audit log has of a version's roles, in the order of its entries."""
    return [entry for entry in map(_history_entry, entries) if entry is not None]


def _history_entry(entry: AuditEntry) -> HistoryEntry | None:
    row: Mapping[str, Any] = entry.after or {}
    if entry.action == "refusal.created":
        if row.get("awaits_approval"):
            return HistoryEntry("waits", entry.at, entry.actor)
        return HistoryEntry("refused", entry.at, entry.actor, row.get("reason"))
    kind = _NAMED_ACTIONS.get(entry.action)
    if kind is None:
        return None
    return HistoryEntry(kind, entry.at, entry.actor, row.get("note"), row.get("canary_percent"))


def _statuses(
    served: ServedVersion | None, refusals: Sequence[Refusal], *, is_approved: bool
) -> tuple[Status, ...]:
    found: list[Status] = []
    if served and served.production_since:
        found.append("production")
    if served and served.challenger_since:
        found.append("challenger")
    if any(refusal.awaits_approval for refusal in refusals):
        found.append("waits")
    if any(not refusal.awaits_approval for refusal in refusals):
        found.append("refused")
    if found:
        return tuple(found)
    return ("approved",) if is_approved and not served else ("earlier",)

"""The names of aliases, tags, artefacts and registered models in MLflow."""

from __future__ import annotations

CANDIDATE = "candidate"
"""Alias of the version that training registered last; training sets it."""
PRODUCTION = "production"
"""Alias of the version that decides; a person sets it."""
CHALLENGER = "challenger"
"""Alias of the version that is compared with production; a person sets it."""

CANARY_TAG = "sentinel.canary_percent"
"""Tag of the challenger's version: share of accounts whose payments it decides, 0 to 100."""
PROMOTED_BY_TAG = "sentinel.promoted_by"
"""Tag of a version: the user who promoted it with a command."""
PROMOTED_VIA_TAG = "sentinel.promoted_via"
"""Tag of a version: that command, such as `python -m training promote`."""
PROMOTED_AT_TAG = "sentinel.promoted_at"
"""Tag of a version: the time of that promotion, ISO 8601."""
REFUSED_TAG = "sentinel.refused"
"""Tag of a version that failed a check: the reason as a sentence."""

MODEL_PATH = "artifacts/model"
"""Directory of the model's files inside a registered version's artefacts."""
MLMODEL = "MLmodel"
"""MLflow's own description of a version, at the root of its artefacts."""


def model_name(tenant_slug: str) -> str:
    """Return the registered model of a tenant whose row does not name another."""
    return f"fraud-{tenant_slug}"

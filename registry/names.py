"""What things are called in MLflow."""

from __future__ import annotations

CANDIDATE = "candidate"
"""Set by training on what it has just registered."""
PRODUCTION = "production"
"""Set by a person: the version that decides."""
CHALLENGER = "challenger"
"""Set by a person: the version that is tried beside production."""

CANARY_TAG = "sentinel.canary_percent"
"""A tag of the challenger's version: what share of accounts it decides for real, 0 to 100."""
REFUSED_TAG = "sentinel.refused"
"""A tag of a version that failed a check: which, in a sentence."""

MODEL_PATH = "artifacts/model"
"""Where the model's plain files lie inside a registered version's artefacts."""
MLMODEL = "MLmodel"
"""MLflow's own description of a version, at the root of its artefacts."""


def model_name(tenant_slug: str) -> str:
    """Return the registered model that a tenant has unless its row names another."""
    return f"fraud-{tenant_slug}"

"""What things are called in MLflow."""

from __future__ import annotations

CANDIDATE = "candidate"
"""Set by training on what it has just registered."""
PRODUCTION = "production"
"""Set by a person: the version that decides."""

MODEL_PATH = "artifacts/model"
"""Where the model's plain files lie inside a registered version's artefacts."""


def model_name(tenant_slug: str) -> str:
    """Return the registered model that a tenant has unless its row names another."""
    return f"fraud-{tenant_slug}"

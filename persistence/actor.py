"""Who changes or reads something, as the audit log names them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """A person, a caller or a part of the product.

    Attributes:
        name: name of an API key, user of MLflow or of the operating system, or a part of the
            product.
        via: way of the access: `key PREFIX` for an API key, `mlflow`, or a command such as
            `sentinel keys issue`; None for a part of the product.
    """

    name: str
    via: str | None = None


MLFLOW = "mlflow"
MLFLOW_ACTOR = Actor(MLFLOW, via=MLFLOW)
"""Actor of what follows changes in MLflow, where MLflow names no person."""

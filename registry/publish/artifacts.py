"""Log the artefacts of a registered version: the model's files and MLflow's description."""

from __future__ import annotations

from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import mlflow

import scoring
from registry.names import MODEL_PATH
from registry.publish.mlflow_client import context_tags
from registry.publish.mlflow_signature import example, signature
from scoring.model.fraud_model import read_features

_PYFUNC = Path(__file__).with_name("pyfunc_model.py")
_SERVING_PACKAGES = ("lightgbm", "numba", "numpy", "pandas", "scipy")


def log_model(directory: Path) -> Any:  # noqa: ANN401 - MLflow has no types
    """Log a FraudModel directory in the active run; return MLflow's description of it."""
    # MLflow names an artefact by its directory: artifacts/<last part of the path>.
    if directory.name != Path(MODEL_PATH).name:
        raise ValueError(f"the name of the model's directory must be {Path(MODEL_PATH).name}")
    event_type = read_features(directory).event_type
    return mlflow.pyfunc.log_model(
        name="model",
        python_model=str(_PYFUNC),
        artifacts={"model": str(directory)},
        code_paths=[str(Path(scoring.__file__).parent)],
        # Listed here, because MLflow would infer them in a new interpreter for half a minute.
        pip_requirements=[f"{name}=={installed_version(name)}" for name in _SERVING_PACKAGES],
        signature=signature(event_type),
        input_example=example(event_type),
        tags=context_tags(),
    )

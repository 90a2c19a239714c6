"""Make the models that are benchmarked, of several sizes, in the form that each system loads.

Training makes and registers `small`. The others are fitted here, deterministically, on a simulated
month, with exactly as many leaves as SHAPES has. For the reference, a scikit-learn classifier wraps
the same trees.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib  # type: ignore[import-untyped]
import lightgbm as lgb
import numpy as np
import pandas as pd
from mlflow.artifacts import download_artifacts
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.preprocessing import LabelEncoder

from registry.names import CANDIDATE, MODEL_PATH, PRODUCTION, model_name
from registry.publish.registration import registering
from registry.publish.tracking import Tracking
from scoring.columns import BoolArray, FloatArray
from scoring.features import FEATURE_NAMES, PAYSIM_FEATURES
from scoring.model.fraud_model import FraudModel
from scoring.policy import CostModel, Policy
from training.data.loading import from_table
from training.data.simulator import simulate
from training.pipeline.calibration import fit_sigmoid
from training.pipeline.golden_rows import golden_rows

ROWS = 100_000
SEED = 7
TRAINED = "small"
PROJECT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Shape:
    """The number of trees of a model, and of leaves over all trees."""

    trees: int
    leaves: int

    def leaves_by_tree(self) -> list[int]:
        """Return the number of leaves of each tree; two trees differ by one leaf at most."""
        each, more = divmod(self.leaves, self.trees)
        return [each + 1] * more + [each] * (self.trees - more)


SHAPES: Mapping[str, Shape] = {
    "tiny": Shape(12, 180),  # for the test of the benchmark itself
    "medium": Shape(129, 2_900),
    "large": Shape(500, 31_500),
}
SIZES = ("small", "medium", "large")


class ModelError(Exception):
    """A model could not be prepared; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """One model in the forms that the systems load.

    Attributes:
        size: name of the size.
        registered: name of the registered model in MLflow, with this version in production.
        artifacts: MLflow's directory of the version, for `mlflow models serve`.
        classifier: joblib file of scikit-learn's CalibratedClassifierCV around the same trees.
        facts: number of trees and leaves, deepest path, and digest of the booster.
    """

    size: str
    registered: str
    artifacts: Path
    classifier: Path
    facts: dict[str, Any]

    @property
    def directory(self) -> Path:
        """The directory of the FraudModel's five files."""
        return self.artifacts / MODEL_PATH

    @property
    def booster(self) -> Path:
        """The booster's file in LightGBM's format."""
        return self.directory / "booster.txt"


def prepare(size: str, home: Path, tracking: Tracking, uri: str, data: Path | None) -> Prepared:
    """Make a model, register it and put it in production.

    Args:
        size: name in SHAPES, or TRAINED for the model that `training train` registers.
        home: directory of the benchmark's files.
        tracking: connection to MLflow.
        uri: tracking URI of the same MLflow.
        data: file that TRAINED is trained on; None: the simulator.

    Raises:
        ModelError: training failed, or the wrapped trees predict other values.
    """
    name = model_name(size)
    matrix, is_fraud = _simulated()
    if size == TRAINED:
        _train(uri, home, data)
        version = tracking.client.get_model_version_by_alias(name, CANDIDATE).version
    else:
        folder = home / "models-made" / size / "model"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        fitted = _fitted(SHAPES[size], matrix, is_fraud)
        score = fitted.calibrator(fitted.margins(matrix))
        fitted.save(folder, golden_rows(matrix, score, fitted.policy, fitted.features.described))
        with (
            tracking.run("benchmarks", size, {}) as run,
            registering(run, folder, name, tags={}, metrics={}) as registered,
        ):
            version = registered.version
    tracking.client.set_registered_model_alias(name, PRODUCTION, str(version))
    download_uri = tracking.client.get_model_version_download_uri(name, str(version))
    artifacts = Path(download_artifacts(download_uri))
    classifier = home / f"classifier-{size}.joblib"
    booster = lgb.Booster(model_file=artifacts / MODEL_PATH / "booster.txt")
    joblib.dump(calibrated_classifier(booster, matrix, is_fraud), classifier)
    return Prepared(size, name, artifacts, classifier, _facts(booster))


def calibrated_classifier(
    booster: lgb.Booster, matrix: FloatArray, is_fraud: BoolArray
) -> CalibratedClassifierCV:
    """Wrap trees in scikit-learn's calibration, fitted on the given rows.

    Args:
        booster: booster whose trees are wrapped unchanged.
        matrix: features, float64 (n, len(FEATURES)).
        is_fraud: labels, bool (n,).

    Raises:
        ModelError: the wrapped trees predict other values.
    """
    classifier = lgb.LGBMClassifier()
    # LightGBM has no other way to make a classifier from a fitted booster than these attributes.
    classifier._Booster = booster
    classifier._n_features = classifier._n_features_in = booster.num_feature()
    classifier._n_classes = 2
    classifier._classes = np.array([0, 1])
    classifier._class_map = {0: 0, 1: 1}
    classifier._le = LabelEncoder().fit([0, 1])
    classifier._objective = "binary"
    classifier.fitted_ = True
    frame = pd.DataFrame(matrix, columns=list(FEATURE_NAMES))
    if not np.array_equal(
        classifier.predict_proba(frame.iloc[:100])[:, 1],
        np.asarray(booster.predict(matrix[:100])),
    ):
        raise ModelError("LightGBM's classifier predicts other values than the booster it wraps.")
    calibrated = CalibratedClassifierCV(FrozenEstimator(classifier), method="sigmoid")
    return calibrated.fit(frame, is_fraud.astype(np.int64))


def _simulated() -> tuple[FloatArray, BoolArray]:
    data = from_table(simulate(ROWS, SEED), "simulator")
    return PAYSIM_FEATURES.matrix(data.columns), data.is_fraud


def _fitted(shape: Shape, matrix: FloatArray, is_fraud: BoolArray) -> FraudModel:
    parameters = {
        "objective": "binary",
        "learning_rate": 0.05,
        # With the default, the trees would have too few leaves, because frauds are rare.
        "min_sum_hessian_in_leaf": 0.0,
        "min_data_in_leaf": 5,
        "lambda_l2": 1.0,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "seed": SEED,
        "verbosity": -1,
    }
    grown = lgb.train(
        parameters,
        lgb.Dataset(matrix, is_fraud.astype(np.float64), feature_name=list(FEATURE_NAMES)),
        shape.trees,
        callbacks=[lgb.reset_parameter(num_leaves=shape.leaves_by_tree())],
    )
    booster = lgb.Booster(model_str=grown.model_to_string())
    margin = np.asarray(booster.predict(matrix, raw_score=True))
    return FraudModel(
        booster=booster,
        calibrator=fit_sigmoid(margin, is_fraud),
        policy=Policy.at(0.05, CostModel()),
        distribution={},
    )


def _train(uri: str, home: Path, data: Path | None) -> None:
    command = [sys.executable, "-m", "training", "train", "--tenant", TRAINED]
    command += ["--data", str(data.resolve())] if data else []
    log = home / "logs" / "training.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        done = subprocess.run(  # noqa: S603 - our own command
            command,
            env={**os.environ, "MLFLOW_TRACKING_URI": uri, "SENTINEL_HOME": str(home)},
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        last = (log.read_text().strip() or "it printed nothing").splitlines()[-1]
        raise ModelError(f"The training failed: {last}")


def _facts(booster: lgb.Booster) -> dict[str, Any]:
    trees = booster.dump_model()["tree_info"]
    return {
        "trees": len(trees),
        "leaves": sum(tree["num_leaves"] for tree in trees),
        "deepest_path": max(_depth(tree["tree_structure"]) for tree in trees),
        "sha256": hashlib.sha256(booster.model_to_string().encode()).hexdigest(),
    }


def _depth(node: dict[str, Any]) -> int:
    depths = itertools.count()
    level = [node]
    while level := [
        child for n in level for child in (n.get("left_child"), n.get("right_child")) if child
    ]:
        next(depths)
    return next(depths)

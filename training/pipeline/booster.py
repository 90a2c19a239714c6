"""Fit the booster: small gradient-boosted trees with bounded leaf weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace

import lightgbm as lgb
import numpy as np

from scoring.columns import BoolArray, FloatArray
from scoring.feature_set.model_features import ModelFeatures
from scoring.transaction import PAYSIM
from training.data.split import Split
from training.pipeline.tree_pruning import fewest_rounds

PATIENCE = 20

Parameters = Mapping[str, float | int | str | bool]

FIXED: Parameters = {
    "objective": "binary",
    "metric": "binary_logloss",
    "deterministic": True,
    "force_row_wise": True,
    # Waiting threads spin. Beside one busy process on two cores, two threads took 7 to 36 s for the
    # simulated month that one thread fits in 1.5 s; 1.5 million rows take one thread 6 s.
    "num_threads": 1,
    "verbosity": -1,
}


@dataclass(frozen=True, slots=True)
class FitParameters:
    """Settings that a search may change; the defaults are those of `train` for PaySim's events.

    `settings_for` returns those of `train` for other features.

    Attributes:
        max_rounds: most trees; early stopping may keep fewer.
        num_leaves: most leaves of a tree. Explaining takes time in proportion to the leaves.
        max_depth: most splits on a path; a tree of 8 leaves is never deeper than 7.
        learning_rate: shrinkage of each tree. At 0.1 one seed in four missed the frauds that lack
            the strongest sign of fraud, at 0.05 none of six (PaySim's test part: the defaults were
            chosen on it).
        min_data_in_leaf: fewest rows of a leaf.
        min_sum_hessian_in_leaf: least curvature of a leaf. With frauds this rare a leaf may hold
            thousands of rows and hardly any curvature, and without bounds its weight diverges:
            PR-AUC between 0.66 and 0.83 on the same data, by the seed alone.
        min_gain_to_split: least gain of a cut: twice the nats by which its two leaves lower the
            rows' summed log loss. The best of n cuts of noise gains about 2 ln(n).
        lambda_l2: L2 penalty on leaf weights, the other bound.
        feature_fraction: share of the features drawn for each tree.
        bagging_fraction: share of the rows drawn for each tree.
        extra_trees: whether cuts are random. With it and half of the features a tree, the model
            does not depend on one strong sign of fraud: frauds that lack it still rank first.
        trimmed: whether the last trees that together improve the loss by less than a standard error
            are dropped (`training.pipeline.tree_pruning`). Not by default: on four simulated months
            this lowered the PR-AUC by 0.006 to 0.011 for 20 to 37 % fewer leaves; only a
            comparison in money shows whether that pays.
    """

    max_rounds: int = 256
    num_leaves: int = 8
    max_depth: int = 7
    learning_rate: float = 0.05
    min_data_in_leaf: int = 50
    min_sum_hessian_in_leaf: float = 5.0
    min_gain_to_split: float = 0.0
    lambda_l2: float = 10.0
    feature_fraction: float = 0.5
    bagging_fraction: float = 1.0
    extra_trees: bool = True
    trimmed: bool = False

    def as_lightgbm(self, seed: int) -> Parameters:
        """Return the parameters for LightGBM."""
        searched = asdict(self)
        del searched["max_rounds"], searched["trimmed"]
        return {**FIXED, **searched, "bagging_freq": 1, "seed": seed}


OWN_EVENT_TYPE = FitParameters(num_leaves=16, max_depth=12, extra_trees=False)
"""Settings for a tenant's own event type without windows. Without one strong sign of fraud, which
PaySim has, frauds show in combinations of features. In two weeks of July of card payments, fitted
on those up to a week before each, the PR-AUC was 0.75 and 0.75 with chosen cuts and 16 or 32
leaves, 0.73 and 0.72 with the defaults; 16 leaves are explained in half of the time."""

OWN_WINDOWS = replace(OWN_EVENT_TYPE, learning_rate=0.03, min_gain_to_split=10.0)
"""Settings for a tenant's own event type with windows. Events of one entity come together and have
similar windows, so a cut by chance gains more than among independent events. On five weeks of card
payments these settings have a PR-AUC of 0.755 and an AUC of 0.896, those without windows 0.754 and
0.894; docs/quality.md says how much of that is chance. Among independent events weak cuts are worth
it: with this least gain the PR-AUC of bank marketing is 0.56 instead of 0.60."""


def settings_for(features: ModelFeatures) -> FitParameters:
    """Return the settings that `train` uses, where none are given.

    Args:
        features: features of the model, with their event type.
    """
    if features.event_type is PAYSIM:
        return FitParameters()
    return OWN_WINDOWS if features.windows else OWN_EVENT_TYPE


MONOTONE_METHOD = "basic"
"""The one of LightGBM's methods that keeps constraints exactly. On random boosters of 2 to 6
features, `advanced` broke one in 29 of 112, by up to 0.57 log-odds, `intermediate` in 4, `basic` in
none (LightGBM 4.7; its issues 5358 and 6155 are such models)."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted booster with its parameters and losses.

    Attributes:
        booster: booster with the trees that are served, no others.
        parameters: parameters of LightGBM, with `max_rounds` and `trimmed`.
        rounds: number of trees that are served.
        leaves: number of leaves over these trees.
        stopping_log_loss: mean log loss on the early-stopping slice after each round.
    """

    booster: lgb.Booster
    parameters: Parameters
    rounds: int
    leaves: int
    stopping_log_loss: tuple[float, ...]


def fit(
    matrix: FloatArray,
    is_fraud: BoolArray,
    parts: Split,
    *,
    seed: int,
    features: ModelFeatures,
    on_round: Callable[[int, float], None],
    chosen: FitParameters | None = None,
) -> Fitted:
    """Fit on `parts.learning`, stop by `parts.stopping`.

    Args:
        matrix: values of the features, float64 (n, number of features).
        is_fraud: labels, bool (n,).
        parts: split of the rows.
        seed: seed of the fit; the same seed gives the same trees.
        features: definitions of the matrix's columns.
        on_round: callback after each round with its number, from 1, and the mean log loss on
            `parts.stopping`; an exception from it ends the fit.
        chosen: settings, or None for the defaults.
    """
    chosen = chosen or FitParameters()
    parameters = {**chosen.as_lightgbm(seed), **_constraints(features)}
    learning = _dataset(matrix, is_fraud, parts.learning, parameters, features)
    stopping = learning.create_valid(
        matrix[parts.stopping], is_fraud[parts.stopping].astype(np.float64)
    )
    losses: list[float] = []
    # A round whose draw of features and cuts allows no split adds no tree.
    trees: list[int] = []

    def record_round(environment: lgb.callback.CallbackEnv) -> None:
        losses.append(float(environment.evaluation_result_list[0][2]))
        trees.append(environment.model.num_trees())
        on_round(environment.iteration + 1, losses[-1])

    booster = lgb.train(
        dict(parameters),
        learning,
        chosen.max_rounds,
        valid_sets=[stopping],
        valid_names=["stopping"],
        callbacks=[lgb.early_stopping(PATIENCE, verbose=False), record_round],
    )
    rounds = trees[booster.best_iteration - 1]
    if chosen.trimmed:
        rounds = fewest_rounds(booster, rounds, matrix[parts.stopping], is_fraud[parts.stopping])
    # The text format that is served drops the trees after those rounds.
    served = lgb.Booster(model_str=booster.model_to_string(num_iteration=rounds))
    return Fitted(
        booster=served,
        parameters={**parameters, "max_rounds": chosen.max_rounds, "trimmed": chosen.trimmed},
        rounds=served.num_trees(),
        leaves=sum(tree["num_leaves"] for tree in served.dump_model()["tree_info"]),
        stopping_log_loss=tuple(losses),
    )


def _constraints(features: ModelFeatures) -> Parameters:
    """Return the parameters for monotone features; none without one, where LightGBM can crash."""
    signs = features.monotone
    if not any(signs):
        return {}
    return {
        "monotone_constraints": ",".join(map(str, signs)),
        "monotone_constraints_method": MONOTONE_METHOD,
    }


def _dataset(
    matrix: FloatArray,
    is_fraud: BoolArray,
    rows: slice,
    parameters: Parameters,
    features: ModelFeatures,
) -> lgb.Dataset:
    return lgb.Dataset(
        matrix[rows],
        is_fraud[rows].astype(np.float64),
        feature_name=list(features.names),
        categorical_feature=list(features.categorical),
        params=dict(parameters),
    )

"""Compile the kernels of explanations and windows ahead of their first use.

Numba compiles a function at its first call and keeps the result in its cache, where every later
process finds it. `python -m scoring.compile_kernels` does so at the installation.
"""

from __future__ import annotations

import lightgbm as lgb
import numpy as np

from scoring.event_type.document import from_document
from scoring.explain.treeshap import compile_trees
from scoring.feature_set.definition import FeatureDefinition
from scoring.feature_set.feature_set import FeatureSet
from scoring.feature_set.model_features import ModelFeatures

_OF_A_VALUE = ("sum", "mean", "std", "max", "min", "distinct")


def compile_kernels() -> bool:
    """Compile all kernels, by explaining a small booster and by computing windows.

    The compiled code is the same for every number of features, kind of split and event type.

    Returns:
        Whether the compiled trees explain as LightGBM does; if not, a warning is logged and
        LightGBM explains instead.
    """
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(500, 2))
    data = lgb.Dataset(rows, rows[:, 0] + rows[:, 1] > 0)
    booster = lgb.train({"objective": "binary", "verbose": -1, "num_threads": 1}, data, 3)
    is_exact = compile_trees(booster) is not None
    fields = {
        "time": {"kind": "timestamp", "role": "time"},
        "payer": {"kind": "entity", "entity": "account", "role": "payer"},
        "payee": {"kind": "entity", "entity": "account", "role": "payee"},
        "amount": {"kind": "number", "role": "amount"},
    }
    functions = {
        **{name: f"{name}(amount, by=payer, window='1d')" for name in _OF_A_VALUE},
        "count": "count(by=[payer, payee], window='1d', where=amount > 1)",
        "last": "seconds_since_last(by=payer)",
        "frauds": "fraud_rate(by=payer, window='7d', delay='1d')",
    }
    definitions = tuple(FeatureDefinition(name, text) for name, text in functions.items())
    event_type = from_document({"name": "payment", "fields": fields})
    for windows in ModelFeatures(event_type, FeatureSet(definitions)).by_entity:
        windows.compile()
    return is_exact


if __name__ == "__main__":
    compile_kernels()

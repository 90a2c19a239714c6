"""Compile bytecode and the kernels while the image is built; later its root is read-only.

The bytecode of the packages, of the service, and of what they import of the standard library goes
below PYTHONPYCACHEPREFIX; the kernel goes to NUMBA_CACHE_DIR. A start on two busy cores takes 5 s,
without the bytecode 11 s, without the kernel 9 s.
"""

from __future__ import annotations

import compileall
import hashlib
import importlib
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import lightgbm as lgb
import numpy as np

from scoring.event_type.document import from_document
from scoring.explain.treeshap import compile_trees
from scoring.feature_set.definition import FeatureDefinition
from scoring.feature_set.feature_set import FeatureSet
from scoring.feature_set.model_features import ModelFeatures

SOURCE = Path(__file__).parents[2]
_OF_A_VALUE = ("sum", "mean", "std", "max", "min", "distinct")
IMPORTED = (
    "_bentoml_impl.worker.service",
    "_bentoml_impl.server.serving",
    "app.startup",
    "bentoml_cli.cli",
    "email.policy",
    "encodings.idna",
    "http.client",
    "netrc",
    "sentinel.cli.main",
    "service",
)


def main() -> None:
    """Compile the bytecode and the kernel."""
    for folder in (SOURCE, sysconfig.get_path("purelib")):
        # Packages may contain files for another Python: they do not compile and are not imported.
        compileall.compile_dir(folder, quiet=2, workers=0)
    for module in IMPORTED:
        importlib.import_module(module)
    for module in ("bentoml", "sentinel"):
        command = [sys.executable, "-m", module, "--help"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own
    compile_kernel()


def compile_kernel() -> None:
    """Compile the kernel by explaining a small booster, and store a digest of the cache in it.

    The compiled code is the same for every number of features and kind of split.
    """
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(500, 2))
    data = lgb.Dataset(rows, rows[:, 0] + rows[:, 1] > 0)
    booster = lgb.train({"objective": "binary", "verbose": -1, "num_threads": 1}, data, 3)
    if compile_trees(booster) is None:
        sys.exit("The compiled trees differ from LightGBM's: see the warning above.")
    compile_windows()
    cache = Path(os.environ["NUMBA_CACHE_DIR"])
    digest = hashlib.sha256()
    for path in sorted(cache.rglob("*.nb?")):
        digest.update(path.read_bytes())
    (cache / "version").write_text(digest.hexdigest() + "\n")


def compile_windows() -> None:
    """Compile the windows of every function, which are the same for every event type."""
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


if __name__ == "__main__":
    main()

"""Compile bytecode and the kernel while the image is built; later its root is read-only.

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

from scoring.explain.treeshap import compile_trees

SOURCE = Path(__file__).parents[2]
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
    cache = Path(os.environ["NUMBA_CACHE_DIR"])
    digest = hashlib.sha256()
    for path in sorted(cache.rglob("*.nb?")):
        digest.update(path.read_bytes())
    (cache / "version").write_text(digest.hexdigest() + "\n")


if __name__ == "__main__":
    main()

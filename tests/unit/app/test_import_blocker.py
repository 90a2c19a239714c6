"""The packages that the service's processes import, each tested in a new interpreter."""

from __future__ import annotations

import subprocess
import sys

from tests.support.paths import PROJECT


def output_of(program: str) -> str:
    """Return what a new interpreter prints for a program, run in the project's folder."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_process_that_supervises_the_workers_imports_no_package_that_scores_or_stores() -> None:
    heavy = {"lightgbm", "numba", "numpy", "sqlalchemy", "fastapi", "mlflow", "pandas", "sklearn"}
    assert output_of(f"import sys, service; print(sorted({heavy} & set(sys.modules)))") == "[]"


def test_lightgbm_and_numba_work_without_unused_packages_which_can_be_imported_afterwards() -> None:
    program = """
import sys
from app.import_blocker import UNUSED_PACKAGES, blocked_imports
with blocked_imports(UNUSED_PACKAGES):
    import lightgbm, numba.np.arraymath
assert not set(UNUSED_PACKAGES) & set(sys.modules)
import numpy
matrix = numpy.random.default_rng(0).normal(size=(200, 11))
data = lightgbm.Dataset(matrix, matrix[:, 0] > 0)
booster = lightgbm.train({"objective": "binary", "verbose": -1}, data, 5)
assert booster.predict(matrix).shape == (200,)
from scoring.explain.treeshap import compile_trees
assert compile_trees(booster)
assert not set(UNUSED_PACKAGES) & set(sys.modules)
import pandas, sklearn.base, scipy.linalg
print(pandas.DataFrame({"a": [1]})["a"].sum(), scipy.linalg.det(numpy.eye(2)))
"""
    assert output_of(program) == "1 1.0"


def test_a_worker_imports_no_unused_package() -> None:
    program = """
import sys, service
from app.import_blocker import UNUSED_PACKAGES, blocked_imports
with blocked_imports(UNUSED_PACKAGES):
    import lightgbm, numba.np.arraymath
import app.startup, app.management, app.bento
print(sorted(set(UNUSED_PACKAGES) & set(sys.modules)))
"""
    assert output_of(program) == "[]"

"""Service processes do not import packages that serving does not need."""

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


def test_the_supervising_process_imports_no_package_that_scores_or_stores() -> None:
    heavy = {"lightgbm", "numba", "numpy", "sqlalchemy", "fastapi", "mlflow", "pandas", "sklearn"}
    assert output_of(f"import sys, service; print(sorted({heavy} & set(sys.modules)))") == "[]"


def test_blocked_packages_are_not_needed_and_can_be_imported_afterwards() -> None:
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


def test_starting_the_service_imports_none_of_the_blocked_packages() -> None:
    program = """
import sys, service
from app.import_blocker import UNUSED_PACKAGES, blocked_imports
with blocked_imports(UNUSED_PACKAGES):
    import lightgbm, numba.np.arraymath
import app.startup, app.management, app.bento
print(sorted(set(UNUSED_PACKAGES) & set(sys.modules)))
"""
    assert output_of(program) == "[]"

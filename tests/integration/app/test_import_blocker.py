"""What the service's processes import, each asked in a process of its own."""

from __future__ import annotations

import subprocess
import sys

from tests.support.paths import PROJECT


def told_by(program: str) -> str:
    """What a fresh interpreter prints for a program, in the project's folder."""
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


def test_the_process_that_watches_over_the_workers_imports_no_room_that_scores_or_stores() -> None:
    heavy = {"lightgbm", "numba", "numpy", "sqlalchemy", "fastapi", "mlflow", "pandas", "sklearn"}
    assert told_by(f"import sys, service; print(sorted({heavy} & set(sys.modules)))") == "[]"


def test_lightgbm_and_numba_do_without_their_companions_which_can_be_imported_afterwards() -> None:
    program = """
import sys
from app.import_blocker import COMPANIONS, without
with without(COMPANIONS):
    import lightgbm, numba.np.arraymath
assert not set(COMPANIONS) & set(sys.modules)
import numpy
matrix = numpy.random.default_rng(0).normal(size=(200, 11))
data = lightgbm.Dataset(matrix, matrix[:, 0] > 0)
booster = lightgbm.train({"objective": "binary", "verbose": -1}, data, 5)
assert booster.predict(matrix).shape == (200,)
from scoring.explain.treeshap import compile_trees
assert compile_trees(booster)
assert not set(COMPANIONS) & set(sys.modules)
import pandas, sklearn.base, scipy.linalg
print(pandas.DataFrame({"a": [1]})["a"].sum(), scipy.linalg.det(numpy.eye(2)))
"""
    assert told_by(program) == "1 1.0"


def test_opening_the_service_imports_none_of_the_companions() -> None:
    program = """
import sys, service
from app.import_blocker import COMPANIONS, without
with without(COMPANIONS):
    import lightgbm, numba.np.arraymath
import app.startup, api.review.routes, app.bento
print(sorted(set(COMPANIONS) & set(sys.modules)))
"""
    assert told_by(program) == "[]"

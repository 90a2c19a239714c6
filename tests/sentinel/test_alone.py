"""What the service's processes import, each asked in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]


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


def test_lightgbm_scores_without_its_companions_which_can_be_imported_afterwards() -> None:
    program = """
import sys
from sentinel.alone import LIGHTGBM_COMPANIONS, without
with without(LIGHTGBM_COMPANIONS):
    import lightgbm
assert not {"sklearn", "pandas"} & set(sys.modules)
import numpy
matrix = numpy.random.default_rng(0).normal(size=(200, 3))
data = lightgbm.Dataset(matrix, matrix[:, 0] > 0)
booster = lightgbm.train({"objective": "binary", "verbose": -1}, data, 5)
assert booster.predict(matrix).shape == (200,)
import pandas, sklearn.base
print(pandas.DataFrame({"a": [1]})["a"].sum())
"""
    assert told_by(program) == "1"


def test_opening_the_service_imports_no_scikit_learn() -> None:
    program = """
import sys, service
from sentinel.alone import LIGHTGBM_COMPANIONS, without
with without(LIGHTGBM_COMPANIONS):
    import lightgbm
import api.opening, api.review, api.bento
print("sklearn" in sys.modules, "pandas" in sys.modules)
"""
    assert told_by(program) == "False False"

"""Reading a file of features, and the error where it holds none."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.errors import TrainingError
from training.features.feature_file import read_feature_set


def test_a_key_that_a_feature_has_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "features.yaml"
    path.write_text("version: 1\nfeatures:\n  - {name: a, expression: A, expression: A + 1}\n")
    with pytest.raises(TrainingError, match=r"expression is given twice .*line 3"):
        read_feature_set(path)

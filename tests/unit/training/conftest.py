"""The small simulated month as the training reads it, its parts and its features."""

from __future__ import annotations

import pyarrow as pa
import pytest

from scoring.columns import FloatArray
from scoring.features import PAYSIM_FEATURES
from training.data.loading import LabelledEvents, from_table
from training.data.split import Split, split


@pytest.fixture(scope="session")
def data(month: pa.Table) -> LabelledEvents:
    """The month as labelled transactions; never changed."""
    return from_table(month, "month")


@pytest.fixture(scope="session")
def parts(data: LabelledEvents) -> Split:
    """The month's parts by time."""
    return split(data.step, data.is_fraud)


@pytest.fixture(scope="session")
def matrix(data: LabelledEvents) -> FloatArray:
    """The month's features, float64 (rows, features); never changed."""
    return data.matrix(PAYSIM_FEATURES)

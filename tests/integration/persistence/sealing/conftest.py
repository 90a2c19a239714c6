"""A sealed log on the test's database."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.support.data.sealed import SealedLog


@pytest.fixture
def log(owner: Engine, tmp_path: Path) -> SealedLog:
    return SealedLog(owner, tmp_path / "heads")

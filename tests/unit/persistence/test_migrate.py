"""The migrations are found in any path."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from persistence.maintenance import migrate


def test_a_path_with_percent_signs_is_taken_literally(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    awkward = tmp_path / "100% 50%20 %(here)s %%"
    awkward.symlink_to(migrate._MIGRATIONS)
    monkeypatch.setattr(migrate, "_MIGRATIONS", awkward)
    config = migrate.alembic_config(create_engine("sqlite://"))
    assert ScriptDirectory.from_config(config).get_current_head() == migrate.head_revision()

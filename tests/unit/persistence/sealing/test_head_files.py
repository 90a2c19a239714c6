"""The folder of heads, on the file systems that may be mounted there."""

from __future__ import annotations

from pathlib import Path

import pytest

from persistence.sealing.errors import SealError
from persistence.sealing.head_files import HeadFiles


@pytest.fixture
def files(tmp_path: Path) -> HeadFiles:
    return HeadFiles(tmp_path)


def test_only_folders_of_tenants_that_have_heads_are_listed(files: HeadFiles) -> None:
    for name in ("lost+found", ".snapshot", "Bank", "later"):
        (files.root / name).mkdir()
    (files.root / "readme").write_text("This is a mount.")
    files.write("demo", 7, "note")
    assert files.slugs() == ["demo"]


def test_a_folder_that_cannot_be_read_is_named(files: HeadFiles) -> None:
    with pytest.raises(SealError, match="folder of heads"):
        files.sizes("x" * 300)
    with pytest.raises(SealError, match="folder of heads"):
        HeadFiles(files.root / "none").slugs()

"""The folder of heads, on the file systems that may be mounted there."""

from __future__ import annotations

import errno
import os
import stat
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


def test_a_head_is_written_once_and_one_that_a_kill_left_empty_is_completed(
    files: HeadFiles,
) -> None:
    files.write("demo", 7, "note")
    files.write("demo", 7, "another")
    assert files.read("demo", 7) == "note"
    files.path("demo", 9).touch()
    assert (files.sizes("demo"), files.newest("demo")) == ([7, 9], 7)
    files.write("demo", 9, "note")
    assert (files.read("demo", 9), files.newest("demo")) == ("note", 9)


def test_a_head_is_written_where_nothing_can_be_renamed_and_no_folder_be_synced(
    files: HeadFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    def sync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "rename", refuse)
    monkeypatch.setattr(os, "replace", refuse)
    monkeypatch.setattr(os, "fsync", sync)
    files.write("demo", 7, "note")
    assert [path.name for path in (files.root / "demo").iterdir()] == [f"{7:020d}"]

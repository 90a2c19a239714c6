"""Any name of a registered model has a folder of its own, and a damaged record has no effect."""

from __future__ import annotations

import json
from pathlib import Path
from unittest.mock import Mock

import pytest

from registry.client.base import RegisteredVersion
from registry.names import PRODUCTION
from registry.store.disk_cache import DiskCache, reason_of

NAMES = [
    *("fraud-demo", "fraud-Demo", "FRAUD-DEMO", "fraud_demo", "fraud demo", "fraud.demo"),
    *("欺" * 31, "欺" * 256, "x" * 256, "x" * 100, "X" * 100, "🏦", "", ".", "..", "../up", "a/b"),
    *("nai\u0308ve", "na\u00efve", "line\nbreak", "nul\x00", "50%", "%2E", "sha256=", "\udcff"),
]


def test_each_name_has_a_record_of_its_own(tmp_path: Path) -> None:
    disk = DiskCache(Mock(), tmp_path / "models")
    for number, name in enumerate(NAMES):
        version = RegisteredVersion(name, number, 5, {"tag": "value"})
        if name != "\udcff":
            disk.remember(name, PRODUCTION, version)
    for number, name in enumerate(NAMES):
        result = disk.remembered(name, PRODUCTION)
        if name != "\udcff":
            assert result == RegisteredVersion(name, number, 5)
            assert result.tags == {"tag": "value"}
        disk.remember(name, PRODUCTION, None)
        assert disk.remembered(name, PRODUCTION) is None
    folders = [path.name for path in (tmp_path / "models").iterdir()]
    assert list(tmp_path.iterdir()) == [tmp_path / "models"], "no name leads out of the cache"
    assert len({name.lower() for name in folders}) == len(folders) == len(NAMES) - 1


@pytest.mark.parametrize(
    "content",
    [
        b"", b"rubbish", b"\xff", b"[]", b"null", b"[" * 100_000, b'{"name": "fraud-demo"}',
        json.dumps({"name": ["x"], "version": 1, "created_ms": 5, "tags": {}}).encode(),
        json.dumps({"name": "fraud-demo", "version": "1", "created_ms": 5, "tags": {}}).encode(),
        b'{"name": "fraud-demo", "version": 1, "created_ms": 5, "tags": {"a": 1}}',
        json.dumps({"name": "fraud-other", "version": 1, "created_ms": 5, "tags": {}}).encode(),
    ],
)  # fmt: skip
def test_a_damaged_record_or_one_of_another_name_is_removed(tmp_path: Path, content: bytes) -> None:
    disk = DiskCache(Mock(), tmp_path)
    disk.remember("fraud-demo", PRODUCTION, RegisteredVersion("fraud-demo", 1, 5))
    (record,) = tmp_path.glob("*/production.json")
    record.write_bytes(content)
    assert disk.remembered("fraud-demo", PRODUCTION) is None
    assert not record.exists()


def test_a_record_that_the_disk_does_not_take_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = DiskCache(Mock(), tmp_path)
    disk.remember("fraud-demo", PRODUCTION, RegisteredVersion("fraud-demo", 1, 5))

    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(json, "dump", full)
    with pytest.raises(OSError, match="No space left"):
        disk.remember("fraud-demo", PRODUCTION, RegisteredVersion("fraud-demo", 2, 5))
    assert disk.remembered("fraud-demo", PRODUCTION) == RegisteredVersion("fraud-demo", 1, 5)
    assert [path.name for path in tmp_path.glob("*/*")] == ["production.json"]


def test_the_reason_of_an_error_is_the_same_for_each_attempt() -> None:
    home = "/models/fraud-demo"
    for path in (f"{home}/.unfinished-x1", f"{home}/.unfinished-x1/booster.txt", home):
        error = OSError(28, "No space left on device", path)
        assert reason_of(error) == f"No space left on device: {home}"
    assert reason_of(OSError("no number")) == "no number"

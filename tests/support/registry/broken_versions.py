"""Ways in which the files of a model version are broken."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path


def truncate(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text("{")


def shift_golden(folder: Path) -> None:
    golden = json.loads((folder / "golden.json").read_text())
    golden["margins"][0] += 2e-9
    (folder / "golden.json").write_text(json.dumps(golden))


def cut_booster(folder: Path) -> None:
    whole = (folder / "booster.txt").read_text()
    (folder / "booster.txt").write_text(whole[: len(whole) // 2])

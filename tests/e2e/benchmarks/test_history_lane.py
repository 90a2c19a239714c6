"""The measurement of windows, run small: it measures each load and each ratio."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support.paths import PROJECT


def test_payments_are_measured_with_windows_and_without(tmp_path: Path) -> None:
    output = tmp_path / "history.json"
    # Not tmp_path for the home: its parents are closed to the user Postgres runs as for root.
    with tempfile.TemporaryDirectory(prefix="sentinel-") as home:
        small = ["--events", "3000", "--hot-events", "300", "--rounds", "1", "--seconds", "0.2"]
        small += ["--home", home, "--output", str(output)]
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.history", *small],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads(output.read_text())
    assert set(results["medians"]) == {
        f"{load}, {tenant} windows"
        for load in ("score_c1", "score_c64", "batch_1000")
        for tenant in ("with", "without")
    } | {"hot_c1, with windows"}
    assert all(one["p50_ms"] > 0 for one in results["medians"].values())
    assert [one["goal"] for one in results["ratios"]] == [
        "at most 2",
        "at least 0.5",
        "at least 8,000",
        "at most 1.5",
    ]
    assert "imported 6,300 in" in done.stdout

"""The benchmark's harness, on a small scale: it runs, and its figures are whole."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[2]


def test_the_benchmark_measures_every_route_and_writes_its_results(tmp_path: Path) -> None:
    output = tmp_path / "latest.json"
    # Not tmp_path for the home: its parents are closed to the user Postgres runs as for root.
    with tempfile.TemporaryDirectory(prefix="sentinel-") as home:
        small = ["--seconds", "0.5", "--rounds", "1", "--home", home, "--output", str(output)]
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks", *small],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads(output.read_text())
    names = {"score_c1", "score_c16", "score_c64", "batch_1", "batch_100", "batch_1000"}
    assert set(results["sentinel"]) == names
    for name, row in results["sentinel"].items():
        assert 0 < row["p50_ms"] <= row["p99_ms"], name
        assert row["requests_per_s"] > 0, name
        assert row["service_cpu_ms"] > 0, name
    assert results["sentinel"]["score_c64"]["mean_batch"] > 1.5
    assert results["absolute"]["cpu_ms_per_score"] > 0
    assert results["absolute"]["rss_mb"] > 50
    assert results["model"]["leaves"] > 0
    assert "/score/batch" in done.stdout

"""The comparison of systems, run small: its shape and that it measures; nothing about speed."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from benchmarks.config import OPEN_LOOP_SYSTEMS
from benchmarks.reporting.report import BEGIN, END, PICTURE, refresh
from tests.support.paths import PROJECT

RATIOS = {
    "score_p50_c1_vs_reference_one_thread",
    "score_rps_c64_vs_reference_one_thread",
    "batch1000_rows_vs_reference_one_thread",
    "score_p50_c1_vs_insert_only",
    "score_rps_c64_vs_insert_only",
    "score_p99_c64_vs_insert_only",
    "shap_b1_vs_pred_contrib",
    "shap_b64_vs_pred_contrib",
}
SYSTEMS = ("sentinel", "reference_one_thread", "insert_only")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one tiny round writes."""
    output = tmp_path_factory.mktemp("bench") / "latest.json"
    # Not tmp_path for the home: its parents are closed to the user Postgres runs as for root.
    with tempfile.TemporaryDirectory(prefix="sentinel-") as home:
        small = ["--quick", "--here", "--systems", ",".join(SYSTEMS), "--sizes", "tiny"]
        small += ["--rounds", "1", "--seconds", "0.2", "--home", home, "--output", str(output)]
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks", *small],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Targets" in done.stdout
    document: dict[str, Any] = json.loads(output.read_text())
    return document


def test_every_system_is_measured_under_every_load(results: dict[str, Any]) -> None:
    assert results["errors"] == {}
    assert set(results["systems"]) == set(SYSTEMS)
    for name, of_size in results["systems"].items():
        cells = of_size["tiny"]
        wanted = {"score_c1", "score_c64"} | ({"batch_1000"} if name != "insert_only" else set())
        if name in OPEN_LOOP_SYSTEMS:
            wanted |= {"open_25", "open_50", "open_75"}
        assert wanted <= set(cells), name
        for cell, row in cells.items():
            assert 0 < row["p50_ms"] <= row["p95_ms"] <= row["p99_ms"], (name, cell)
            assert row["requests_per_s"] > 0, (name, cell)
            assert row["client_cpu_ms"] > 0, (name, cell)
    assert results["systems"]["sentinel"]["tiny"]["score_c64"]["mean_batch"] > 1.5


def test_the_open_loop_offers_a_share_of_the_systems_own_capacity(results: dict[str, Any]) -> None:
    for name in OPEN_LOOP_SYSTEMS:
        cells = results["systems"][name]["tiny"]
        capacity = max(cells[f"score_c{clients}"]["requests_per_s"] for clients in (1, 64))
        for percent in (25, 50, 75):
            offered = cells[f"open_{percent}"]["offered_per_s"]
            assert offered == pytest.approx(capacity * percent / 100, rel=1e-3), (name, percent)


def test_every_ratio_of_the_targets_is_a_positive_number(results: dict[str, Any]) -> None:
    assert set(results["ratios"]) >= RATIOS
    for name in RATIOS:
        assert results["ratios"][name] > 0, name
        assert len(results["ratio_ranges"][name]) == 2, name
    assert results["absolute"]["cpu_ms_per_score"] > 0
    assert results["absolute"]["rss_mb"] > 50
    assert results["absolute"]["ready_s"] > 0
    judged = [target for target in results["targets"] if target["measured"] is not None]
    assert judged
    assert all(target["met"] in (True, False) for target in judged)


def test_the_compiled_explanation_equals_lightgbms(results: dict[str, Any]) -> None:
    result = results["explanation"]["tiny"]
    assert result["largest_difference"] <= 1e-9
    assert set(result["rows"]) == {"1", "8", "64", "1000"}
    for times in result["rows"].values():
        assert times["cpu_ms"] > 0
        assert times["pred_contrib_cpu_ms"] > 0


def test_the_results_name_the_machine_the_command_and_the_durability_of_postgres(
    results: dict[str, Any],
) -> None:
    assert results["command"].startswith("python -m benchmarks --quick")
    assert results["machine"]["cores"] > 0
    assert len(results["machine"]["load_before"]) == 3
    assert results["postgres"]["fsync"] == "on"
    assert results["postgres"]["synchronous_commit"] == "on"
    assert results["models"]["tiny"] == results["models"]["tiny"] | {"trees": 12, "leaves": 180}


def test_the_page_shows_the_figures_of_the_results(results: dict[str, Any], tmp_path: Path) -> None:
    written, page = tmp_path / "latest.json", tmp_path / "page.md"
    written.write_text(json.dumps(results))
    page.write_text(f"Before.\n\n{BEGIN}\nold figures\n{END}\n\nAfter.\n")
    refresh(written, page)
    text = page.read_text()
    assert text.startswith("Before.\n")
    assert text.endswith("\nAfter.\n")
    assert "old figures" not in text
    rate = results["systems"]["insert_only"]["tiny"]["score_c64"]["rows_per_s"]
    assert (f"{rate:,.0f}" if rate >= 1000 else f"{rate:,.3g}") in text
    assert (tmp_path / PICTURE).read_bytes().startswith(b"\x89PNG")

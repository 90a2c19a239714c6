"""The committed results, and the page that is made from them."""

from __future__ import annotations

import json

from benchmarks.__main__ import RESULTS
from benchmarks.config import SYSTEMS
from benchmarks.reporting.ratios import DIRECTIONS
from benchmarks.reporting.report import figures
from benchmarks.reporting.targets import TARGETS
from benchmarks.systems import catalogue
from tests.support.paths import PROJECT

COMMITTED = json.loads(RESULTS.read_text())


def test_the_page_shows_the_committed_results() -> None:
    assert figures(COMMITTED) in (PROJECT / "docs" / "performance.md").read_text()


def test_the_committed_results_have_the_names_of_this_release() -> None:
    assert set(COMMITTED["systems"]) <= set(SYSTEMS) == set(catalogue.SYSTEMS)
    assert COMMITTED["targets"] == [target.judge(COMMITTED) for target in TARGETS]
    assert COMMITTED["directions"] == DIRECTIONS


def test_the_page_shows_woodelf_where_it_was_measured() -> None:
    medium = COMMITTED["explanation"]["medium"]
    measured = {"rows": 1000, "cpu_ms": 1234.5, "wall_ms": 1300.0, "difference": 6e-6}
    explanation = COMMITTED["explanation"] | {"medium": medium | {"woodelf": measured}}
    assert "| medium | 1,000 | 1,234 | 1,300 |" in figures(COMMITTED | {"explanation": explanation})

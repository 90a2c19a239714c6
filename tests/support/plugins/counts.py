"""A pytest plugin that writes how many tests ended how, for the totals of `python -m tests`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

OUTCOMES = ("failed", "passed", "skipped", "deselected", "xfailed", "xpassed", "error")
"""Words and order of pytest's own last line."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--counts", type=Path, help="file that receives the counts as JSON")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    counts = {outcome: len(terminalreporter.stats.get(outcome, ())) for outcome in OUTCOMES}
    config.getoption("--counts").write_text(json.dumps(counts))

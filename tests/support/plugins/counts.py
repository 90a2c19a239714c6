"""A pytest plugin that writes how the tests of each part ended, for `python -m tests`."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path

import pytest

OUTCOMES = ("failed", "passed", "skipped", "deselected", "xfailed", "xpassed", "error")
"""Words and order of pytest's own last line."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--counts", type=Path, help="file that receives the counts as JSON")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for outcome in OUTCOMES:
        for ended in terminalreporter.stats.get(outcome, ()):
            counts[part_of(ended.nodeid)][outcome] += 1
    config.getoption("--counts").write_text(json.dumps(counts))


def part_of(nodeid: str) -> str:
    """The folder below `tests` of a test, or of a file that could not be imported."""
    return nodeid.split("::")[0].split("/")[1]

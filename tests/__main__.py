"""Run every test: unit, and then integration and end to end.

`make test` runs it. Unit tests that fail do not keep the others from running. Names of parts that
come first choose them, other arguments go to each pytest: `python -m tests e2e -x -k promotion`.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.paths import PROJECT
from tests.support.plugins.counts import OUTCOMES

PARTS = {
    "unit": "code alone, without a server",
    "integration": "code with a real Postgres, MLflow or process of its own",
    "e2e": "the running service over HTTP, the demo, the Bento, the browser",
}
WITHOUT_SERVERS = ("unit",)
"""Parts with a pytest of their own. The others share one, whose processes start their servers once
and end at about the same time."""
WORKERS = min(os.cpu_count() or 1, 4)
"""Processes that run a part. Each has a Postgres and an MLflow of its own: about 0.5 GB."""
# The processes fill the cores already: more threads of OpenMP and OpenBLAS would only wait.
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def main(arguments: list[str]) -> int:
    """Run the parts and print the totals; 0 when all passed, 1 otherwise."""
    chosen = list(itertools.takewhile(PARTS.__contains__, arguments))
    parts, options = chosen or list(PARTS), arguments[len(chosen) :]
    alone = [[part] for part in parts if part in WITHOUT_SERVERS]
    together = [part for part in parts if part not in WITHOUT_SERVERS]
    began = time.monotonic()
    totals: Counter[str] = Counter()
    lines = []
    all_passed = True
    for names in filter(None, [*alone, together]):
        described = ", ".join(f"{name} ({PARTS[name]})" for name in names)
        print(f"\n{'#' * 8} {described}", flush=True)
        run_began = time.monotonic()
        status, counts = run(names, options)
        all_passed &= status in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
        for name in names:
            of_part = counts.get(name, {})
            totals.update(of_part)
            lines.append(f"{name:11} {in_words(of_part)}")
        lines[-1] += f" in {time.monotonic() - run_began:.0f} s"
    seconds = time.monotonic() - began
    print(f"\n{'#' * 8} All parts", *lines, sep="\n")
    duration = f"{seconds:.2f}s ({timedelta(seconds=int(seconds))})"
    print(f" {in_words(totals)} in {duration} ".center(80, "="))
    return int(not all_passed)


def run(parts: list[str], options: list[str]) -> tuple[int, dict[str, dict[str, int]]]:
    """Run parts in one pytest; its exit status, and each part's number of tests by outcome."""
    with tempfile.TemporaryDirectory(prefix="sentinel-counts-") as folder:
        counts = Path(folder) / "counts.json"
        command = [
            *(sys.executable, "-m", "pytest", *(f"tests/{part}" for part in parts)),
            *(f"--numprocesses={WORKERS}", "-p", "tests.support.plugins.counts"),
            *(f"--counts={counts}", *options),
        ]
        environment = {**os.environ, **ENVIRONMENT}
        status = subprocess.run(command, cwd=PROJECT, env=environment, check=False).returncode
        # pytest writes none where it ends before the first test, as for an unknown option.
        return status, json.loads(counts.read_text()) if counts.exists() else {}


def in_words(counts: dict[str, int]) -> str:
    """Counts as pytest's last line has them."""
    named = [f"{counts[outcome]} {outcome}" for outcome in OUTCOMES if counts.get(outcome)]
    return ", ".join(named) or "no tests ran"


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)

"""Describe the machine, the command and the commit of a measurement."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil

_PACKAGES = (
    *("bentoml", "fastapi", "lightgbm", "mlflow", "numba", "numpy", "pandas", "psycopg"),
    *("scikit-learn", "shap", "sqlalchemy", "starlette", "uvicorn", "uvloop"),
)


def machine() -> dict[str, Any]:
    """Return cores, CPU, memory, system, load and versions of this machine."""
    return {
        "cores": os.cpu_count(),
        "cpu": _cpu_name(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_before": [round(load, 2) for load in os.getloadavg()],
        "packages": {name: version(name) for name in _PACKAGES},
    }


def command() -> str:
    """Return the command line as a person types it, without the options for file locations."""
    kept = [
        argument
        for before, argument in pairwise(sys.argv)
        if not {before, argument} & {"--home", "--output"}
    ]
    return " ".join(["python -m benchmarks", *kept]) if kept else "make bench"


def commit() -> str | None:
    """Return the commit of the working directory, or None outside a repository."""
    done = subprocess.run(
        ["git", "rev-parse", "HEAD"],  # noqa: S607 - whichever git is installed
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or None


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()

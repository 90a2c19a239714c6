"""What a result was measured on."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import Any


def machine() -> dict[str, Any]:
    """Return cores, CPU, Python and system."""
    return {
        "cores": os.cpu_count(),
        "cpu": _cpu_name(),
        "python": platform.python_version(),
        "system": platform.system(),
    }


def commit() -> str | None:
    """Return the commit of the working directory, or None outside a repository."""
    asked = subprocess.run(
        ["git", "rev-parse", "HEAD"],  # noqa: S607 - whichever git is installed
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.strip() or None


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()

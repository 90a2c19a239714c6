"""A checkout with a home and ports of its own, in which a test runs the demo."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import psutil

UP = "Ctrl-C stops everything."
PARTS = (
    *(
        "app",
        "api",
        "console",
        "observability",
        "persistence",
        "registry",
        "scoring",
        "sentinel",
        "serving",
    ),
    *("training", "web", "service.py", "pyproject.toml"),
)
"""What of the checkout the demo needs."""
AWKWARD = "ü 50%20 'q' \"d\" #x [bold] $HOME `id`, &"


@dataclass
class Machine:
    """A checkout with a home and ports of its own, and the commands one types there."""

    checkout: Path
    port: int
    mlflow_port: int
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def home(self) -> Path:
        return self.checkout / ".sentinel"

    def start(self, command: str, **environment: str) -> subprocess.Popen[str]:
        """Run `sentinel <command>` without waiting."""
        process = subprocess.Popen(
            [str(self.checkout / ".venv/bin/python"), "-m", "sentinel", command],
            cwd=self.checkout,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            env={
                **{key: value for key, value in os.environ.items() if key != "DATABASE_URL"},
                "PYTHONUNBUFFERED": "1",
                "SENTINEL_HOME": str(self.home),
                "PORT": str(self.port),
                "MLFLOW_PORT": str(self.mlflow_port),
                **environment,
            },
        )
        self.started.append(process)
        return process

    def run(self, command: str, **environment: str) -> tuple[int, str]:
        """Run `sentinel <command>` to its end; its status and its whole output."""
        process = self.start(command, **environment)
        output = process.communicate(timeout=120)[0]
        return process.returncode, output

    def demo(self, **environment: str) -> tuple[subprocess.Popen[str], str]:
        """Run the demo until it serves; it and its output until then."""
        process = self.start("demo", **environment)
        output = ""
        for line in process.stdout or ():
            output += line
            if UP in line:
                return process, output
        raise AssertionError(f"the demo ended with {process.wait()}:\n{output}")

    def stop(
        self, process: subprocess.Popen[str], number: int = signal.SIGINT
    ) -> tuple[int, list[str]]:
        """Signal the demo and wait for its end; its status and its last lines."""
        process.send_signal(number)
        output = process.communicate(timeout=60)[0]
        return process.returncode, [line for line in output.splitlines()[-2:] if line]

    def processes(self) -> list[str]:
        """Every living process that was started for this home."""
        mark = str(self.home)
        collected = []
        for process in psutil.process_iter():
            try:
                if process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                    environment = process.environ()
                    if environment.get("SENTINEL_HOME") == mark or mark in process.cmdline():
                        collected.append(" ".join(process.cmdline()))
            except psutil.Error:
                continue
        return collected


def replies(output: str) -> list[dict[str, object]]:
    return [json.loads(block) for block in re.findall(r"(?ms)^\{$.*?^\}$", output)]

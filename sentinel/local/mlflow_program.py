"""`mlflow server` in one process: `python -m sentinel.local.mlflow_program [OPTION ...]`.

MLflow's command imports the server, prepares its databases, and then starts uvicorn, which imports
and prepares all of it again: 2.5 of 7.4 s of CPU. Here uvicorn runs where all that is done.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import uvicorn  # before MLflow, which protects its pages only where it finds a server imported
from mlflow import server
from mlflow.cli import cli

from registry.client.mlflow_migrations import escape_script_location


def serve_here(
    command: Sequence[str],
    *,
    extra_env: Mapping[str, str],
    **_options: Any,  # noqa: ANN401 - how MLflow would start the process
) -> None:
    """Run uvicorn's command line, `python -m uvicorn OPTION ...`, in this process to its end.

    Args:
        command: command line.
        extra_env: environment variables of the server.
    """
    if command[:3] != [sys.executable, "-m", "uvicorn"]:
        raise RuntimeError(f"MLflow would start another program than uvicorn: {command}")
    os.environ.update(extra_env)
    uvicorn.main(command[3:])  # ends the process


if __name__ == "__main__":
    escape_script_location()
    server._exec_cmd = serve_here
    cli(["server", *sys.argv[1:]])

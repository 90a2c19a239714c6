"""Install a lock file and the project itself into the environment of this interpreter.

Only hashed wheels are installed, so nothing is compiled and every package is a locked one.
It runs before any package is installed, so it uses the standard library only.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TextIO

ROOT = Path(__file__).resolve().parents[1]
LOG = Path(sys.prefix) / "install.log"


def main(lock: Path) -> int:
    """Install the lock file; return 0, or 1 after one sentence on stderr."""
    pins = re.split(r"(?m)^(?=[A-Za-z0-9])", lock.read_text())[1:]
    print(f"Installing {len(pins)} pinned packages into {Path(sys.prefix).name} ...", flush=True)
    with LOG.open("w") as log, tempfile.NamedTemporaryFile("w", suffix=".txt") as first:
        # The pip of Python 3.11 takes twice as long for the steps that follow.
        first.write("".join(pin for pin in pins if pin.startswith("pip==")))
        first.flush()
        status = (
            pip(["--require-hashes", "--only-binary", ":all:", "-r", first.name], log)
            or pip(
                ["--require-hashes", "--only-binary", ":all:", "-r", str(lock.resolve())],
                log,
                len(pins),
            )
            # Not the whole path: pip reads `[...]` at its end as extras, and `#` as part of a URL.
            or pip(["--no-deps", "--no-build-isolation", "-e", os.curdir], log)
        )
    if status:
        print(f"{explain(LOG.read_text())} The output of pip is in {LOG}.", file=sys.stderr)
    return int(status != 0)


def pip(arguments: list[str], log: TextIO, count: int = 0) -> int:
    """Run `pip install` and return its exit status.

    Args:
        arguments: arguments of `pip install`.
        log: file that receives the output of pip.
        count: number of packages, for the progress on a terminal; 0 shows none.
    """
    # Compiling every module takes 40 s, and most are never imported. Python compiles at first use.
    options = ["--disable-pip-version-check", "--no-input", "--no-compile"]
    process = subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "pip", "install", *options, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
    )
    show = count > 0 and sys.stdout.isatty()
    seen = 0
    for line in process.stdout or ():
        log.write(line)
        if show and line.startswith(("Collecting", "Installing")):
            seen += line.startswith("Collecting")
            state = "unpacking" if line.startswith("Installing") else f"{seen} of {count}"
            print(f"\r\033[K  {state}", end="", flush=True)
    if show:
        print("\r\033[K", end="", flush=True)
    return process.wait()


def explain(output: str) -> str:
    """Return one sentence about a failed installation, from the output of pip."""
    if "No space left on device" in output:
        return "The disk is full; the environment takes 1.5 GB."
    if re.search(r"THESE PACKAGES DO NOT MATCH THE HASHES", output):
        return "A package does not match its hash in the lock file; it was not installed."
    if match := re.search(r"No matching distribution found for ([^\s;]+)", output):
        return (
            f"There is no prebuilt {match[1]} for this machine, or no way to the package index: "
            "Linux and macOS on x86-64 and arm64 with Python 3.11 to 3.13 are supported."
        )
    errors = [line for line in output.splitlines() if line.startswith("ERROR:")]
    return "The packages could not be installed: " + (errors or ["pip ended early."])[-1]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

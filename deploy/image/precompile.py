"""Compile bytecode and the kernels while the image is built; later its root is read-only.

The bytecode of the packages, of the service, and of what they import of the standard library goes
below PYTHONPYCACHEPREFIX; the kernels go to NUMBA_CACHE_DIR. A start on two busy cores takes 5 s,
without the bytecode 11 s, without the kernel of explanations 9 s.
"""

from __future__ import annotations

import compileall
import hashlib
import importlib
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

from scoring.compile_kernels import compile_kernels

SOURCE = Path(__file__).parents[2]
IMPORTED = (
    "_bentoml_impl.worker.service",
    "_bentoml_impl.server.serving",
    "app.startup",
    "bentoml_cli.cli",
    "email.policy",
    "encodings.idna",
    "http.client",
    "netrc",
    "sentinel.cli.main",
    "service",
)


def main() -> None:
    """Compile the bytecode and the kernels."""
    for folder in (SOURCE, sysconfig.get_path("purelib")):
        # Packages may contain files for another Python: they do not compile and are not imported.
        compileall.compile_dir(folder, quiet=2, workers=0)
    for module in IMPORTED:
        importlib.import_module(module)
    for module in ("bentoml", "sentinel"):
        command = [sys.executable, "-m", module, "--help"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own
    if not compile_kernels():
        sys.exit("The compiled trees differ from LightGBM's: see the warning above.")
    store_digest()


def store_digest() -> None:
    """Store a digest of the kernels' cache in it."""
    cache = Path(os.environ["NUMBA_CACHE_DIR"])
    digest = hashlib.sha256()
    for path in sorted(cache.rglob("*.nb?")):
        digest.update(path.read_bytes())
    (cache / "version").write_text(digest.hexdigest() + "\n")


if __name__ == "__main__":
    main()

"""Run `benchmarks.console.command`."""

from __future__ import annotations

from benchmarks.console.command import main

if __name__ == "__main__":
    main()

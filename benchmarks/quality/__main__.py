"""Run `benchmarks.quality.command`."""

from __future__ import annotations

from benchmarks.quality.command import main

if __name__ == "__main__":
    main()

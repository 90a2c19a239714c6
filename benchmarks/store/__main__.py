"""Run `benchmarks.store.comparison`."""

from __future__ import annotations

from benchmarks.store.comparison import main

if __name__ == "__main__":
    main()

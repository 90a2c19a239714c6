"""Paths of the checkout."""

from __future__ import annotations

from pathlib import Path

PROJECT = Path(__file__).parents[2]
"""The root of the checkout, and the working directory of commands that tests run."""

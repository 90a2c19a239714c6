"""Gauss-Legendre quadrature on [0, 1], correctly rounded."""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal, localcontext
from functools import cache

import numpy as np

from scoring.explain.lightgbm_text import FloatArray


def quadrature(sizes: Iterable[int]) -> tuple[FloatArray, FloatArray]:
    """Return points and weights of quadratures with several numbers of points.

    Args:
        sizes: numbers of points, each at least 1.

    Returns:
        Points and weights, float64 (m + 1, m) with m the largest size, at least 1; row n has the n
        points if n is in sizes, else zeros.
    """
    distinct = set(sizes)
    largest = max(distinct, default=1)
    points, weights = np.zeros((2, largest + 1, largest))
    for n in distinct:
        points[n, :n], weights[n, :n] = zip(*_gauss_legendre(n), strict=True)
    return points, weights


@cache
def _gauss_legendre(n: int) -> list[tuple[float, float]]:
    """Return the points of the n-point quadrature on [0, 1], and their weights, correctly rounded.

    NumPy's values differ in the last bit between machines, and a replayed decision would too.
    Abramowitz and Stegun, "Handbook of Mathematical Functions", 25.4.29 and 22.7.10.
    """
    found = []
    with localcontext(prec=40):
        for i in range(n):
            x = Decimal(math.cos(math.pi * (i + 0.75) / (n + 0.5)))
            for _ in range(8):
                previous, current = Decimal(1), x
                for k in range(1, n):
                    following = ((2 * k + 1) * x * current - k * previous) / (k + 1)
                    previous, current = current, following
                slope = n * (previous - x * current) / (1 - x * x)
                x -= current / slope
            found.append((float((x + 1) / 2), float(1 / ((1 - x * x) * slope * slope))))
    return found

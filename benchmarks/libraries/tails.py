"""Compare tails of distributions: our chi-square quantile and binomial tail, and scipy's."""

from __future__ import annotations

import subprocess
import sys
from math import exp, lgamma, log, log1p

from benchmarks.libraries.timing import in_turn, show
from scoring.evaluation.drift import _chi_square_quantile

_BINOMIALS = [(20, 0.5), (100, 0.01), (1000, 0.001), (1000, 0.05), (10**5, 0.0013), (10**6, 5e-4)]
_IMPORT = """
import time
import psutil
import service
from app.import_blocker import COMPANIONS, without
with without(COMPANIONS):  # as the service starts
    import lightgbm, numba.np.arraymath
before = psutil.Process().memory_info().rss
begun = time.perf_counter()
from scipy import special
took_ms, rss = (time.perf_counter() - begun) * 1e3, psutil.Process().memory_info().rss
print(f"import scipy.special beside the service: {took_ms:.0f} ms, {(rss - before) / 1e6:.1f} MB")
"""


def compare(calls: int, rounds: int) -> None:
    """Print the errors relative to mpmath, the time of a call, and the cost of the import."""
    import mpmath
    from scipy import special

    mpmath.mp.dps = 60
    error, degrees = max(
        (abs(_chi_square_quantile(d) / special.chdtri(d, 0.001) - 1), d) for d in range(1, 65)
    )
    print(
        f"chi-square quantile, 1 to 64 degrees of freedom: ours is off by {error:.1%} at {degrees}"
    )
    cases = [
        (k, n, p)
        for n, p in _BINOMIALS
        for k in sorted({1, 3, *(int(n * p + sd * (n * p) ** 0.5) + (sd > 0) for sd in (0, 3, 8))})
        if 0 < k <= n
    ]
    off: dict[str, list[float]] = {"own sum": [], "bdtrc": [], "betainc": []}
    for k, n, p in cases:
        exact = mpmath.betainc(k, n - k + 1, 0, mpmath.mpf(p), regularized=True)
        values = {
            "own sum": _binomial_tail(k, n, p),
            "bdtrc": float(special.bdtrc(k - 1, n, p)),
            "betainc": float(special.betainc(k, n - k + 1, p)),
        }
        for name, value in values.items():
            off[name].append(float(abs(mpmath.mpf(value) / exact - 1)))
    for name, errors in off.items():
        print(f"binomial tail, {len(cases)} cases, {name}: off by {max(errors):.1e} at most")
    ways = {
        "chi-square: ours": lambda: _chi_square_quantile(9),
        "chi-square: chdtri": lambda: special.chdtri(9, 0.001),
        "binomial: own sum": lambda: _binomial_tail(70, 1000, 0.05),
        "binomial: bdtrc": lambda: special.bdtrc(69, 1000, 0.05),
        "binomial: betainc": lambda: special.betainc(70, 931, 0.05),
    }
    show("a call", in_turn(ways, calls // 10, rounds), "ns")
    for _ in range(3):
        subprocess.run([sys.executable, "-W", "ignore", "-c", _IMPORT], check=True)  # noqa: S603


def _binomial_tail(k: int, n: int, p: float) -> float:
    """Return P(X >= k) as the sum of its terms."""

    def term(i: int) -> float:
        choices = lgamma(n + 1) - lgamma(i + 1) - lgamma(n - i + 1)
        return exp(choices + i * log(p) + (n - i) * log1p(-p))

    if k <= n * p:  # the smaller side
        return 1.0 - sum(map(term, range(k)))
    following, total = term(k), 0.0
    while following > total * 1e-17:
        total += following
        following *= (n - k) / (k + 1) * p / (1 - p)
        k += 1
    return total

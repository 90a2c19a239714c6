"""Compare the compiled explanation with LightGBM's own `pred_contrib` and with woodelf."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import statistics
import time
from collections.abc import Callable
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd

from benchmarks.load.payloads import features_of, transactions
from benchmarks.models import Prepared
from scoring.explain.treeshap import CompiledTrees, compile_trees

ROWS = (1, 8, 64, 1000)
MIN_TIMES, MAX_TIMES = 3, 400


def compare(model: Prepared, seconds: float) -> dict[str, Any]:
    """Explain batches of ROWS with both, in turn.

    Args:
        model: model whose trees are explained.
        seconds: time for each batch size; each is explained MIN_TIMES at least.

    Returns:
        By number of rows: the medians of thread CPU time and wall time in ms, the median ratio of
        CPU times (`pred_contrib` over the compiled explanation) and the quartiles of the ratios of
        single pairs. In addition the largest difference between the two explanations, in log-odds,
        and, where it is installed, woodelf's time for the largest batch.

    Raises:
        ValueError: the trees do not compile.
    """
    booster = lgb.Booster(model_file=model.booster)
    compiled = compile_trees(booster)
    if compiled is None:
        raise ValueError("The trees do not compile; LightGBM would explain them.")
    by_rows = {str(rows): _compared(compiled, booster, rows, seconds) for rows in ROWS}
    return {
        "largest_difference": max(timings.pop("difference") for timings in by_rows.values()),
        "table_mb": round(compiled.forest.table.nbytes / 1e6, 1),
        "rows": by_rows,
        "woodelf": _by_woodelf(compiled, booster, max(ROWS)),
    }


def _compared(
    compiled: CompiledTrees, booster: lgb.Booster, rows: int, seconds: float
) -> dict[str, Any]:
    matrix = np.ascontiguousarray(features_of(transactions(rows)))

    def by_lightgbm() -> Any:  # noqa: ANN401 - LightGBM has no types
        return booster.predict(matrix, pred_contrib=True, num_threads=1)

    expected, explained = np.asarray(by_lightgbm()), compiled.explain(matrix)
    times: list[tuple[float, float, float, float]] = []
    end = time.perf_counter() + seconds
    while len(times) < MIN_TIMES or (time.perf_counter() < end and len(times) < MAX_TIMES):
        times.append((*_timed(lambda: compiled.explain(matrix)), *_timed(by_lightgbm)))
    columns = list(zip(*times, strict=True))
    cpu_ms, wall_ms, other_cpu_ms, other_wall_ms = (statistics.median(column) for column in columns)
    quarters = statistics.quantiles(
        (theirs / ours for ours, theirs in zip(columns[0], columns[2], strict=True)), n=4
    )
    return {
        "cpu_ms": round(cpu_ms, 4),
        "wall_ms": round(wall_ms, 4),
        "pred_contrib_cpu_ms": round(other_cpu_ms, 4),
        "pred_contrib_wall_ms": round(other_wall_ms, 4),
        "times_faster": round(other_cpu_ms / cpu_ms, 3),
        "times_faster_range": [round(quarters[0], 3), round(quarters[2], 3)],
        "times": len(times),
        "difference": float(np.abs(expected[:, :-1] - explained.contributions).max()),
    }


def _by_woodelf(compiled: CompiledTrees, booster: lgb.Booster, rows: int) -> dict[str, Any] | None:
    """Return the CPU time in ms of woodelf's second call, or None if it is not installed.

    It prepares its tables again in every call, which takes longer than the rows.
    """
    if importlib.util.find_spec("woodelf") is None:
        return None
    from woodelf import WoodelfExplainer

    matrix = np.ascontiguousarray(features_of(transactions(rows)))
    frame = pd.DataFrame(matrix, columns=booster.feature_name())
    explainer = WoodelfExplainer(booster)
    with contextlib.redirect_stdout(io.StringIO()):
        found = np.asarray(explainer.shap_values(frame, verbose=False))
        cpu_ms, wall_ms = _timed(lambda: explainer.shap_values(frame, verbose=False))
    return {
        "rows": rows,
        "cpu_ms": round(cpu_ms, 1),
        "wall_ms": round(wall_ms, 1),
        "difference": float(np.abs(found - compiled.explain(matrix).contributions).max()),
    }


def _timed(call: Callable[[], object]) -> tuple[float, float]:
    """Return this thread's CPU time and the wall time of a call, in ms."""
    cpu_ns, wall_ns = time.thread_time_ns(), time.perf_counter_ns()
    call()
    return (time.thread_time_ns() - cpu_ns) / 1e6, (time.perf_counter_ns() - wall_ns) / 1e6

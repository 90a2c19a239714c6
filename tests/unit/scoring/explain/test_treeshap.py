"""The compiled trees give the same explanations as LightGBM."""

from __future__ import annotations

import logging
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scoring.explain import compiler
from scoring.explain.compiler import build_forest
from scoring.explain.groups import GROWTH
from scoring.explain.kernel import BLOCK, MAX_BITS, NARROW
from scoring.explain.lightgbm_text import FloatArray, read_trees
from scoring.explain.quadrature import quadrature
from scoring.explain.treeshap import CompiledTrees, compile_trees, explain_with_lightgbm

COLUMNS = 11


def rows_of_features(
    rng: np.random.Generator, rows: int, missing: float, zeros: float
) -> FloatArray:
    """Return rows with few distinct values in some columns, so that paths reuse a feature."""
    matrix = rng.normal(size=(rows, COLUMNS))
    matrix[:, ::3] = np.round(matrix[:, ::3] * 3)
    matrix[rng.random(matrix.shape) < zeros] = 0.0
    matrix[rng.random(matrix.shape) < missing] = np.nan
    return matrix


def a_booster(seed: int = 0, trees: int = 5, missing: float = 0.0, **changes: Any) -> lgb.Booster:
    rng = np.random.default_rng(seed)
    matrix = rows_of_features(rng, 600, missing, 0.1)
    filled = np.nan_to_num(matrix)
    label = filled[:, 0] + filled[:, 1] * filled[:, 2] + rng.normal(size=600) > 0
    parameters = {
        "objective": "binary",
        "min_data_in_leaf": 1,
        "num_threads": 1,
        "verbose": -1,
        "seed": seed,
        **changes,
    }
    return lgb.train(parameters, lgb.Dataset(matrix, label), trees)


def assert_equal_explanations(
    booster: lgb.Booster, compiled: CompiledTrees, matrix: FloatArray
) -> None:
    expected, actual = explain_with_lightgbm(booster, matrix), compiled.explain(matrix)
    np.testing.assert_array_equal(actual.margins, expected.margins)
    np.testing.assert_allclose(actual.contributions, expected.contributions, rtol=0, atol=1e-9)
    assert actual.base_value == pytest.approx(expected.base_value, abs=1e-9)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 10_000),
    trees=st.integers(1, 12),
    leaves=st.integers(2, 40),
    depth=st.sampled_from([-1, 1, 2, 3, 6]),
    missing=st.sampled_from([0.0, 0.2]),
    zero_as_missing=st.booleans(),
    use_missing=st.booleans(),
    columns=st.integers(1, COLUMNS),
    table_bytes=st.sampled_from([0, 2_000, 10**8]),
)
def test_random_models_have_the_same_explanations_as_in_lightgbm(
    seed: int,
    trees: int,
    leaves: int,
    depth: int,
    missing: float,
    zero_as_missing: bool,
    use_missing: bool,
    columns: int,
    table_bytes: int,
) -> None:
    booster = a_booster(
        seed,
        trees,
        missing,
        num_leaves=leaves,
        max_depth=depth,
        zero_as_missing=zero_as_missing,
        use_missing=use_missing,
        feature_fraction=columns / COLUMNS,
    )
    parsed = read_trees(booster.model_to_string())
    base_value = sum(tree.expected_value for tree in parsed)
    compiled = CompiledTrees(build_forest(parsed, COLUMNS, table_bytes), base_value)
    matrix = rows_of_features(np.random.default_rng(seed + 1), 50, missing=0.1, zeros=0.1)
    matrix[0] = np.inf
    matrix[1] = -np.inf
    matrix[2] = 1e-36
    assert_equal_explanations(booster, compiled, matrix)


def test_values_at_and_next_to_a_threshold_go_the_same_way_as_in_lightgbm() -> None:
    booster = a_booster(trees=20, num_leaves=31)
    compiled = compile_trees(booster)
    assert compiled is not None
    parsed = read_trees(booster.model_to_string())
    thresholds = np.concatenate([tree.threshold for tree in parsed])
    features = np.concatenate([tree.feature for tree in parsed])
    matrix = np.zeros((3 * len(thresholds), COLUMNS))
    for i, (feature, threshold) in enumerate(zip(features, thresholds, strict=True)):
        matrix[3 * i : 3 * i + 3, feature] = (
            np.nextafter(threshold, -np.inf),
            threshold,
            np.nextafter(threshold, np.inf),
        )
    assert_equal_explanations(booster, compiled, matrix)


def test_a_row_has_the_same_explanation_alone_and_in_a_batch() -> None:
    compiled = compile_trees(a_booster(trees=20, num_leaves=31))
    assert compiled is not None
    matrix = rows_of_features(np.random.default_rng(5), BLOCK + 50, missing=0.0, zeros=0.1)
    matrix[-1, 0] = np.nan
    together = compiled.explain(matrix)
    for i in range(len(matrix)):
        alone = compiled.explain(matrix[i : i + 1])
        np.testing.assert_array_equal(alone.contributions[0], together.contributions[i])
        assert alone.margins[0] == together.margins[i]


def test_leaves_share_tables_whose_size_grows_by_no_more_than_the_limit() -> None:
    trees = read_trees(a_booster(trees=30, num_leaves=40).model_to_string())
    forest = build_forest(trees, COLUMNS)
    leaves = np.diff(forest.leaf_start)
    assert leaves.sum() == sum(tree.leaf_value.size for tree in trees)
    assert len(leaves) < 0.8 * leaves.sum()
    assert forest.group_bits.max() <= MAX_BITS
    conditions = np.diff(forest.condition_start)
    assert len(forest.table) <= GROWTH * NARROW * (1 << conditions).sum()


def test_the_margin_of_a_single_leaf_is_the_base_value() -> None:
    rng = np.random.default_rng(0)
    parameters = {"objective": "binary", "verbose": -1, "num_threads": 1, "num_leaves": 2}
    booster = lgb.train(
        parameters | {"min_data_in_leaf": 10_000},
        lgb.Dataset(rng.normal(size=(50, COLUMNS)), rng.random(50) < 0.5),
        1,
    )
    compiled = compile_trees(booster)
    assert compiled is not None
    explained = compiled.explain(np.zeros((2, COLUMNS)))
    assert not explained.contributions.any()
    assert explained.margins.tolist() == [explained.base_value] * 2


def test_the_quadrature_is_gauss_legendre() -> None:
    sizes = [*range(1, 9), 25, 60]
    all_points, all_weights = quadrature(sizes)
    for n in sizes:
        points, weights = np.polynomial.legendre.leggauss(n)
        np.testing.assert_allclose(np.sort(all_points[n, :n]), (points + 1) / 2, atol=1e-15)
        by_point = np.argsort(all_points[n, :n])
        np.testing.assert_allclose(all_weights[n, :n][by_point], weights / 2, atol=1e-15)


def test_the_tables_stay_within_their_memory_limit() -> None:
    parsed = read_trees(a_booster(trees=30, num_leaves=40).model_to_string())
    for table_bytes in (0, 1_000, 100_000):
        assert build_forest(parsed, COLUMNS, table_bytes).table.nbytes <= table_bytes
    assert build_forest(parsed, COLUMNS).table.nbytes <= compiler.TABLE_BYTES


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"boosting": "rf", "bagging_fraction": 0.5, "bagging_freq": 1}, "averages its trees"),
        ({"linear_tree": True}, "linear leaves"),
    ],
)
def test_unsupported_trees_are_explained_by_lightgbm_with_a_warning(
    changes: dict[str, Any], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "sentinel.scoring"):
        assert compile_trees(a_booster(**changes)) is None
    assert reason in caplog.text


def test_compiled_trees_that_are_off_are_not_used(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def inexact_forest(*arguments: Any) -> Any:
        forest = build_forest(*arguments)
        forest.table[0] += 1e-6
        forest.table[NARROW + 1 :: 2 * NARROW] += 1e-6
        return forest

    monkeypatch.setattr("scoring.explain.treeshap.build_forest", inexact_forest)
    assert compile_trees(a_booster()) is None
    assert "off by" in caplog.text

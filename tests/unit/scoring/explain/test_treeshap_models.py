"""Models of every width and kind have LightGBM's explanations, and stored ones stay the same."""

from __future__ import annotations

import hashlib
from decimal import Decimal, localcontext
from math import comb

import lightgbm as lgb
import numpy as np
import pytest

from scoring.explain.compiler import TABLE_BYTES, build_forest
from scoring.explain.kernel import (
    MAX_BITS,
    MIN_BLOCK,
    NARROW,
    NO_TABLE,
    explain,
    fill_tables,
)
from scoring.explain.lightgbm_text import FloatArray, Tree, read_trees
from scoring.explain.treeshap import CompiledTrees, compile_trees, explain_with_lightgbm
from tests.support.random_models import MISSING, Shape, model_text, random_rows

ELEVEN = 11


def compiled_text(text: str, features: int, table_bytes: int = TABLE_BYTES) -> CompiledTrees:
    trees = read_trees(text)
    base_value = float(sum(tree.expected_value for tree in trees))
    return CompiledTrees(build_forest(trees, features, table_bytes), base_value)


def rows_for(shape: Shape, rows: int, seed: int) -> FloatArray:
    return np.array(random_rows(shape, rows, seed), dtype=np.float64)


def assert_explained_as_by_lightgbm(
    shape: Shape, seed: int, table_bytes: int = TABLE_BYTES, rows: int = 40
) -> CompiledTrees:
    text = model_text(shape, seed)
    compiled = compiled_text(text, shape.features, table_bytes)
    matrix = rows_for(shape, rows, seed + 1)
    expected = explain_with_lightgbm(lgb.Booster(model_str=text), matrix)
    actual = compiled.explain(matrix)
    np.testing.assert_array_equal(actual.margins, expected.margins)
    np.testing.assert_allclose(actual.contributions, expected.contributions, rtol=0, atol=1e-9)
    assert actual.base_value == pytest.approx(expected.base_value, abs=1e-9)
    for row in range(0, rows, 7):
        alone = compiled.explain(matrix[row : row + 1])
        np.testing.assert_array_equal(alone.contributions[0], actual.contributions[row])
    return compiled


@pytest.mark.parametrize("features", [1, 2, NARROW - 2, NARROW - 1, NARROW, 16, 30, 200, 500])
@pytest.mark.parametrize("table_bytes", [0, 20_000, TABLE_BYTES])
def test_a_model_of_any_width_has_the_same_explanations_as_in_lightgbm(
    features: int, table_bytes: int
) -> None:
    shape = Shape(12, 25, features, categorical=frozenset(range(2, features, 5)))
    compiled = assert_explained_as_by_lightgbm(shape, features, table_bytes)
    assert compiled.forest.is_narrow == (features < NARROW)
    assert compiled.forest.table.nbytes <= table_bytes


@pytest.mark.parametrize("kind", MISSING)
@pytest.mark.parametrize("features", [5, 40])
def test_missing_values_go_as_in_lightgbm_for_each_kind_of_split(kind: str, features: int) -> None:
    for seed in range(5):
        assert_explained_as_by_lightgbm(Shape(15, 20, features, missing=(kind,)), seed)


@pytest.mark.parametrize("features", [4, 60])
def test_categories_go_as_in_lightgbm(features: int) -> None:
    for seed in range(5):
        shape = Shape(15, 20, features, categorical=frozenset(range(features)))
        compiled = assert_explained_as_by_lightgbm(shape, seed, rows=100)
        assert compiled.forest.set_column.size == 15 * 19


def test_the_sets_of_a_trained_model_hold_its_categories() -> None:
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(3000, 30))
    matrix[:, 3] = rng.integers(0, 300, 3000)
    matrix[:, 20] = rng.integers(0, 6, 3000)
    matrix[rng.random(matrix.shape) < 0.05] = np.nan
    label = (matrix[:, 3] % 7 < 3) ^ (matrix[:, 20] == 2) ^ (rng.random(3000) < 0.1)
    data = lgb.Dataset(matrix, label, categorical_feature=[3, 20])
    booster = lgb.train({"objective": "binary", "verbose": -1, "num_threads": 1}, data, 20)
    compiled = compile_trees(booster)
    assert compiled is not None
    assert compiled.forest.set_column.size > 20
    rows = matrix[:300].copy()
    unusual = [-1, -0.5, 0.5, 1e9, 3e9, -3e9, np.inf, -np.inf, np.nan]
    rows[:90, 3] = [*unusual, *range(10), *range(240, 311)]
    expected, actual = explain_with_lightgbm(booster, rows), compiled.explain(rows)
    np.testing.assert_array_equal(actual.margins, expected.margins)
    np.testing.assert_allclose(actual.contributions, expected.contributions, rtol=0, atol=1e-9)


@pytest.mark.parametrize("leaves", [30, 50])
def test_paths_with_more_features_than_an_index_has_bits_are_explained(leaves: int) -> None:
    shape = Shape(3, leaves, 120, categorical=frozenset(range(0, 120, 4)), chain=0.95)
    for seed in range(4):
        compiled = assert_explained_as_by_lightgbm(shape, seed, 4 * 2**20)
    forest = compiled.forest
    longest = np.diff(forest.condition_start).max()
    assert longest > 18
    assert forest.points.shape[1] == (longest + 1) // 2
    is_long = forest.group_bits > MAX_BITS
    assert is_long.any()
    assert (forest.group_table[is_long] == NO_TABLE).all()


def without_feature(sums: list[Decimal], satisfied: int, fraction: Decimal) -> list[Decimal]:
    """Return the sums over the coalitions of the other features: those of all divided by its own.

    As polynomials, `sums` is the others' times `satisfied` x + `fraction`. From the highest power
    down each rounding error is multiplied by `fraction`, which is at most 1.
    """
    if not satisfied:
        return [a / fraction for a in sums[:-1]]
    others = [Decimal(0)]
    for a in sums[:0:-1]:
        others.append(a - fraction * others[-1])
    return others[:0:-1]


def shapley_values(tree: Tree, row: FloatArray) -> list[float]:
    """Return the contributions of one tree of numeric splits, from 60 digits."""
    above = {
        int(child): (split, is_left)
        for is_left, children in ((True, tree.left), (False, tree.right))
        for split, child in enumerate(children)
    }
    values = [Decimal(0)] * len(row)
    with localcontext(prec=60):
        for leaf, leaf_value in enumerate(tree.leaf_value.tolist()):
            satisfied, fraction = dict[int, int](), dict[int, Decimal]()
            node = ~leaf
            while node in above:
                split, is_left = above[node]
                feature = int(tree.feature[split])
                follows = int((row[feature] <= tree.threshold[split]) == is_left)
                count = tree.split_count[node] if node >= 0 else tree.leaf_count[~node]
                share = Decimal(float(count)) / Decimal(float(tree.split_count[split]))
                satisfied[feature] = satisfied.get(feature, 1) * follows
                fraction[feature] = fraction.get(feature, Decimal(1)) * share
                node = split
            # By number of features in the coalition, the expected leaf indicator.
            sums = [Decimal(1)]
            for feature, z in fraction.items():
                with_it = [Decimal(0), *(a * satisfied[feature] for a in sums)]
                without = [*(a * z for a in sums), Decimal(0)]
                sums = [a + b for a, b in zip(with_it, without, strict=True)]
            n = len(fraction)
            for feature, z in fraction.items():
                others = without_feature(sums, satisfied[feature], z)
                mean = sum(a / (n * comb(n - 1, size)) for size, a in enumerate(others))
                values[feature] += Decimal(leaf_value) * (satisfied[feature] - z) * mean
    return [float(value) for value in values]


def test_paths_with_fifty_features_are_explained_exactly() -> None:
    shape = Shape(1, 70, 120, missing=("None",), chain=0.95)
    text = model_text(shape, 1)
    compiled = compiled_text(text, shape.features)
    assert np.diff(compiled.forest.condition_start).max() > 45
    matrix = np.round(np.random.default_rng(0).normal(size=(3, shape.features)), 3)
    contributions = compiled.explain(matrix).contributions
    for row, explained in zip(matrix, contributions, strict=True):
        exact = shapley_values(read_trees(text)[0], row)
        np.testing.assert_allclose(explained, exact, rtol=0, atol=1e-14)


def test_the_quadrature_has_the_points_of_the_longest_path() -> None:
    for features in (1, 4, 60):
        forest = compiled_text(model_text(Shape(10, 20, features), 3), features).forest
        longest = int(np.diff(forest.condition_start).max())
        assert forest.points.shape == ((longest + 1) // 2 + 1, (longest + 1) // 2)


def test_a_table_has_only_the_features_of_its_group_and_the_margin() -> None:
    forest = compiled_text(model_text(Shape(20, 30, 500), 1), 500).forest
    row_sizes = np.diff(forest.member_start) + 1
    assert (row_sizes <= forest.group_bits + 1).all()
    assert forest.table.size == (row_sizes << forest.group_bits).sum()


def test_a_matrix_of_another_width_is_refused() -> None:
    compiled = compiled_text(model_text(Shape(2, 4, 5), 1), 5)
    with pytest.raises(ValueError, match="4 columns instead of 5"):
        compiled.explain(np.zeros((2, 4)))


# Computed by the first release that compiled trees. A replay compares stored decisions with these
# numbers bit for bit, so they never change.
SMALL = Shape(3, 6, ELEVEN)
MEDIUM = Shape(40, 31, ELEVEN)
LARGE = Shape(100, 63, ELEVEN)
GOLDEN_DIGESTS = {
    (SMALL, TABLE_BYTES): "64152dd81afe810346c5f6daeca6707d3fe3c8ed6a6c8b66e11e49b8444812e2",
    (SMALL, 0): "0d5a9ebf9448dcb91805e62c877f57e7d1cf23fad2e7c9d756f7c7ce773beaad",
    (MEDIUM, TABLE_BYTES): "f5a6d694f9523b39b563c9828d76c1a92c91de990125437b64bf05749c3c95d9",
    (LARGE, TABLE_BYTES): "5cd1ca146762245e4877361c26885086494d7ae562f07d25262930f3012f9b4a",
    (LARGE, 2**20): "3bef5b544fd2cdb88d38272988a6cf7f5d6868a24001a585f589836def8ac02c",
}
GOLDEN_FIRST_ROWS = {
    (SMALL, TABLE_BYTES): """-0x1.571f18e985a03p-12 0x1.e70a3c0eae840p-5 -0x1.446f1b284bf8ep-8
        -0x1.b4faf9bb9f88cp-9 0x0.0p+0 -0x1.00fb813580262p-7 0x1.2edde8ef77774p-8
        0x1.22a7926ab4710p-7 0x1.f990f00627e1bp-3 -0x1.748a7e9f67704p-7 0x1.4ab094c84dfdep-7""",
    (SMALL, 0): """-0x1.571f18e985a03p-12 0x1.e70a3c0eae83fp-5 -0x1.446f1b284bf8ep-8
        -0x1.b4faf9bb9f88cp-9 0x0.0p+0 -0x1.00fb813580262p-7 0x1.2edde8ef77773p-8
        0x1.22a7926ab4710p-7 0x1.f990f00627e1bp-3 -0x1.748a7e9f67706p-7 0x1.4ab094c84dfdep-7""",
    (MEDIUM, TABLE_BYTES): """-0x1.92bdf1cc47339p-4 0x1.46edeaf761108p-5 -0x1.84c3f45768700p-11
        0x1.ec3503227c799p-4 -0x1.388b233660fe4p-4 -0x1.5062c42f5cd19p-4 0x1.a1cd2ddebf6e1p-4
        -0x1.616a7497f3d13p-3 -0x1.e9e15a9732f53p-4 0x1.f5d85ee33af4cp-7 0x1.a6bc6d2d34264p-4""",
    (LARGE, TABLE_BYTES): """0x1.4153929f1e3f7p-2 -0x1.3897979538acap-2 0x1.3f9e48319055dp-3
        -0x1.e4455b12df957p-2 -0x1.1df63f803d80cp-1 -0x1.4881a54434dafp-2 -0x1.028df86732e1dp+0
        -0x1.b7fd2e59d4b67p-2 0x1.3f7af26b4fb5cp-5 -0x1.11209b295e40fp-2 -0x1.c88adfaf5d741p-3""",
    (LARGE, 2**20): """0x1.4153929f1e3e7p-2 -0x1.3897979538ad8p-2 0x1.3f9e48319052fp-3
        -0x1.e4455b12df973p-2 -0x1.1df63f803d7d4p-1 -0x1.4881a54434dbap-2 -0x1.028df86732e24p+0
        -0x1.b7fd2e59d4b69p-2 0x1.3f7af26b4fb96p-5 -0x1.11209b295e40cp-2 -0x1.c88adfaf5d73fp-3""",
}


@pytest.mark.parametrize(("shape", "table_bytes"), GOLDEN_DIGESTS)
def test_explanations_of_numeric_models_with_eleven_features_keep_every_bit(
    shape: Shape, table_bytes: int
) -> None:
    compiled = compiled_text(model_text(shape, 1), ELEVEN, table_bytes)
    matrix = rows_for(shape, 100, 2)
    explained = compiled.explain(matrix)
    first = [contribution.hex() for contribution in explained.contributions[0].tolist()]
    assert first == GOLDEN_FIRST_ROWS[shape, table_bytes].split()
    digest = hashlib.sha256(explained.margins.tobytes() + explained.contributions.tobytes())
    assert digest.hexdigest() == GOLDEN_DIGESTS[shape, table_bytes]


def test_one_compilation_serves_every_model() -> None:
    for shape in (
        Shape(2, 5, 3),
        Shape(2, 5, 30),
        Shape(2, 20, 30, categorical=frozenset(range(30))),
        Shape(1, 50, 120, chain=0.95),
    ):
        compiled = compile_trees(lgb.Booster(model_str=model_text(shape, 1)))
        assert compiled is not None
        compiled.explain(np.zeros((1, shape.features)))
    assert len(explain.signatures) == len(fill_tables.signatures) == 1


def test_a_few_rows_have_the_bits_of_many() -> None:
    for features in (ELEVEN, 40):
        shape = Shape(20, 31, features, categorical=frozenset({1}))
        compiled = compiled_text(model_text(shape, 1), features, 100_000)
        matrix = rows_for(shape, 3 * MIN_BLOCK, 2)
        together = compiled.explain(matrix).contributions
        for rows in range(1, MIN_BLOCK + 2):
            some = compiled.explain(matrix[:rows]).contributions
            np.testing.assert_array_equal(some, together[:rows])

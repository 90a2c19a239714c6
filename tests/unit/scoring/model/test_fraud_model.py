from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
import shap

from scoring.errors import ModelRefused
from scoring.features import FEATURES_VERSION
from scoring.model.fraud_model import GOLDEN_TOLERANCE, MODEL_FILES, FraudModel
from scoring.policy import CostModel, Policy
from scoring.prediction import ModelVersion
from tests.support.factories import a_model, a_transaction, feature_rows

VERSION = ModelVersion("fraud-demo", 1)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    a_model().save(tmp_path, feature_rows(8))
    return tmp_path


def edit(path: Path, change: Callable[[Any], Any]) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def test_base_value_plus_contributions_is_the_margin() -> None:
    batch = a_model().explain_matrix(feature_rows(500, seed=3))
    sums = batch.base_value + batch.contributions.sum(axis=1)
    np.testing.assert_allclose(sums, batch.margins, rtol=0, atol=1e-9)


def test_the_score_is_the_calibrated_margin() -> None:
    model = a_model()
    batch = model.explain_matrix(feature_rows(500, seed=3))
    assert model.calibrator(batch.margins).tobytes() == batch.scores.tobytes()


def test_contributions_agree_with_shap() -> None:
    model, matrix = a_model(), feature_rows(50, seed=4)
    explainer = shap.TreeExplainer(model.booster)
    np.testing.assert_allclose(
        model.explain_matrix(matrix).contributions, explainer.shap_values(matrix), atol=1e-12
    )


def test_a_row_has_the_same_result_alone_and_in_a_batch() -> None:
    model, matrix = a_model(), feature_rows(64, seed=5)
    batch = model.explain_matrix(matrix)
    alone = model.explain_matrix(np.ascontiguousarray(matrix[17:18]))
    assert alone.margins[0] == batch.margins[17]
    assert alone.contributions[0].tobytes() == batch.contributions[17].tobytes()


def test_a_loaded_model_gives_the_same_bits_as_the_saved_one(saved: Path) -> None:
    model, loaded = a_model(), FraudModel.load(saved, VERSION)
    matrix = feature_rows(200, seed=6)
    before, after = model.as_served().explain_matrix(matrix), loaded.explain_matrix(matrix)
    assert after.margins.tobytes() == before.margins.tobytes()
    assert after.contributions.tobytes() == before.contributions.tobytes()
    assert after.scores.tobytes() == before.scores.tobytes()
    assert (loaded.policy, loaded.version) == (model.policy, VERSION)


def test_a_saved_model_is_five_text_files(saved: Path) -> None:
    assert sorted(path.name for path in saved.iterdir()) == sorted(MODEL_FILES)
    for path in saved.iterdir():
        path.read_text("utf-8")


def test_an_unregistered_model_makes_no_decision() -> None:
    with pytest.raises(ValueError, match="registered version"):
        a_model().predict([a_transaction()])


def test_predictions_have_the_order_of_the_transactions_and_the_models_version() -> None:
    transactions = [a_transaction(amount=float(10**i)) for i in range(6)]
    predictions = a_model(version=VERSION).predict(transactions)
    assert [p.features[1] for p in predictions] == [t.amount for t in transactions]
    assert {p.model for p in predictions} == {VERSION}


@pytest.mark.parametrize("name", MODEL_FILES)
def test_a_missing_file_is_refused_by_name(saved: Path, name: str) -> None:
    (saved / name).unlink()
    with pytest.raises(ModelRefused, match=f"{name} is missing"):
        FraudModel.load(saved)


@pytest.mark.parametrize("name", MODEL_FILES)
@pytest.mark.parametrize("content", ["", "not a model", "[]"])
def test_a_corrupt_file_is_refused_by_name(saved: Path, name: str, content: str) -> None:
    (saved / name).write_text(content)
    with pytest.raises(ModelRefused, match=name.split(".")[0]):
        FraudModel.load(saved)


def test_another_version_of_the_features_is_refused(saved: Path) -> None:
    edit(saved / "features.json", lambda v: v.update(version=FEATURES_VERSION + 1))
    with pytest.raises(ModelRefused, match="this release computes version"):
        FraudModel.load(saved)


def test_features_in_another_order_are_refused(saved: Path) -> None:
    edit(saved / "features.json", lambda v: v["names"].reverse())
    with pytest.raises(ModelRefused, match="other features"):
        FraudModel.load(saved)


def test_a_booster_trained_on_other_features_is_refused(saved: Path) -> None:
    path = saved / "booster.txt"
    path.write_text(path.read_text().replace("amount_share", "amount_shore"))
    with pytest.raises(ModelRefused, match=r"booster\.txt"):
        FraudModel.load(saved)


@pytest.mark.parametrize(
    ("key", "word"),
    [("margins", "margin"), ("scores", "score"), ("contributions", "contributions")],
)
def test_a_golden_row_off_by_more_than_the_tolerance_is_refused(
    saved: Path, key: str, word: str
) -> None:
    def shift(value: Any) -> None:
        values = np.array(value[key])
        values.flat[3] += 2 * GOLDEN_TOLERANCE
        value[key] = values.tolist()

    edit(saved / "golden.json", shift)
    with pytest.raises(ModelRefused, match=f"the {word} is off by"):
        FraudModel.load(saved)


def test_a_golden_row_within_the_tolerance_is_accepted(saved: Path) -> None:
    def shift(value: Any) -> None:
        value["margins"][0] += GOLDEN_TOLERANCE / 10

    edit(saved / "golden.json", shift)
    FraudModel.load(saved)


@pytest.mark.parametrize("key", ["features", "margins", "contributions", "scores", "base_value"])
def test_golden_rows_without_one_of_the_results_are_refused(saved: Path, key: str) -> None:
    edit(saved / "golden.json", lambda v: v.pop(key))
    with pytest.raises(ModelRefused, match=r"golden\.json"):
        FraudModel.load(saved)


def test_empty_golden_rows_are_refused(saved: Path) -> None:
    edit(saved / "golden.json", lambda v: v.update(features=[]))
    with pytest.raises(ModelRefused, match=r"golden\.json"):
        FraudModel.load(saved)


def test_a_threshold_out_of_range_is_refused(saved: Path) -> None:
    edit(saved / "policy.json", lambda v: v.update(threshold=1.2))
    with pytest.raises(ModelRefused, match=r"policy\.json: threshold"):
        FraudModel.load(saved)


def test_each_transaction_is_decided_by_its_own_policy() -> None:
    model = a_model(version=ModelVersion("fraud-demo", 3))
    policies = [Policy.at(threshold, CostModel()) for threshold in (0.01, 0.9)]
    lenient, strict = model.predict([a_transaction()] * 2, policies)
    (own,) = model.predict([a_transaction()])
    assert (lenient.threshold, strict.threshold, own.threshold) == (0.01, 0.9, 0.05)
    assert (lenient.decision, strict.decision) == ("review", "approve")
    assert lenient.margin == strict.margin == own.margin


@pytest.mark.parametrize("name", [name for name in MODEL_FILES if name.endswith(".json")])
@pytest.mark.parametrize(
    "content",
    ["[" * 100_000, '{"a":' * 100_000, "null", "NaN", '{"a": 1e400}', '{"a": 1' + "0" * 400 + "}"],
    ids=lambda content: content[:8],
)
def test_a_hostile_json_file_is_refused(saved: Path, name: str, content: str) -> None:
    (saved / name).write_text(content)
    with pytest.raises(ModelRefused, match=name.replace(".", r"\.")):
        FraudModel.load(saved)


@pytest.mark.parametrize("names", [None, True, 7, "amount", [[]], {}])
def test_names_of_features_that_are_no_list_of_them_are_refused(saved: Path, names: Any) -> None:
    edit(saved / "features.json", lambda v: v.update(names=names))
    with pytest.raises(ModelRefused, match="features"):
        FraudModel.load(saved)


def test_a_pickle_in_place_of_a_file_is_never_loaded(saved: Path, tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    class_ = f"cos\nsystem\n(S'touch {trace}'\ntR."
    for name in MODEL_FILES:
        whole = (saved / name).read_bytes()
        (saved / name).write_text(class_)
        with pytest.raises((ModelRefused, lgb.basic.LightGBMError)):
            FraudModel.load(saved)
        (saved / name).write_bytes(whole)
    assert not trace.exists()

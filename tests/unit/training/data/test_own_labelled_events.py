"""Events of an own event type as a training reads them: order, times, amounts, fingerprint."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scoring.columns import TextColumn
from scoring.event_type.fields import EventType
from tests.support.data.event_files import write_csv
from tests.support.event_types import an_event_type
from tests.support.own_models import STATELESS, WITH_WINDOWS, features_of
from training.data.labelled_events import LabelledEvents
from training.errors import TrainingError
from training.event_types.training_data import HOURS_WITHOUT_TIME, own_events
from training.features.of_training import features_of as features_of_training

Read = Callable[..., LabelledEvents]
USUAL: dict[str, list[Any]] = {
    "TX_DATETIME": ["2026-03-31T12:30:00Z", "2026-03-31T11:00:00Z", "2026-04-09T12:00:00Z"],
    "CUSTOMER_ID": ["C1", "C1", "C1"],
    "TERMINAL_ID": ["T1", "T1", "T1"],
    "TX_AMOUNT": [30, 10, 50],
    "CHANNEL": ["web", "", "pos"],
    "TX_FRAUD": [0, 1, 0],
}


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """A function that reads a file of the usual columns with changes, for an event type."""

    def make(event_type: EventType | None = None, seed: int = 0, **columns: Any) -> LabelledEvents:
        given = {name: cells for name, cells in (USUAL | columns).items() if cells is not None}
        path = write_csv(tmp_path / "file.csv", given)
        return own_events(path, event_type or an_event_type(), seed)

    return make


def test_events_are_in_order_of_time(read: Read) -> None:
    data = read()
    assert data.amount.tolist() == [10, 30, 50]
    assert data.is_fraud.tolist() == [True, False, False]
    assert data.time_us is not None
    assert (np.diff(data.time_us) > 0).all()
    assert np.diff(data.step).tolist() == [1, 216]
    assert data.rows_of_hours(None, int(data.step[1])) == slice(0, 2)


def test_a_label_is_known_a_week_after_its_event(read: Read) -> None:
    risk = features_of({"risk": "fraud_rate(by=TERMINAL_ID, window='7d', delay='1d')"})
    late = read(TX_DATETIME=["2026-03-31T12:00:00Z", "2026-03-31T11:00:00Z",
                             "2026-04-07T10:59:59Z"])  # fmt: skip
    known = read(TX_DATETIME=["2026-03-31T12:00:00Z", "2026-03-31T11:00:00Z",
                              "2026-04-07T11:00:00Z"])  # fmt: skip
    assert late.matrix(risk)[-1, 0] == 0
    assert known.matrix(risk)[-1, 0] == 0.5


def test_windows_see_earlier_events_alone(read: Read) -> None:
    matrix = read().matrix(features_of(WITH_WINDOWS))
    names = list(features_of(WITH_WINDOWS).names)
    np.testing.assert_array_equal(matrix[:, names.index("events_1d")], [0, 1, 0])
    np.testing.assert_array_equal(matrix[:, names.index("amount_over_mean")], [np.nan, 3, 2.5])


def test_the_fingerprint_is_of_the_values_in_order_of_time(read: Read) -> None:
    first = read().fingerprint
    turned = {name: list(reversed(cells)) for name, cells in USUAL.items()}
    assert read(**turned).fingerprint == first
    assert read(extra=[1, 2, 3]).fingerprint == first
    assert read(CHANNEL=["web", "web", "pos"]).fingerprint != first
    assert read(TX_FRAUD=[1, 1, 0]).fingerprint != first
    assert read(TX_AMOUNT=[30, 10, 50.5]).fingerprint != first


def test_columns_that_are_no_fields_are_named(read: Read) -> None:
    assert read(extra=[1, 2, 3]).ignored == ("extra",)


def test_without_an_amount_every_amount_is_0_and_a_missing_one_too(read: Read) -> None:
    assert read(an_event_type(TX_AMOUNT={"kind": "number"})).amount.tolist() == [0, 0, 0]
    optional = an_event_type(TX_AMOUNT={"kind": "number", "role": "amount", "optional": True})
    assert read(optional, TX_AMOUNT=[30, "", 50]).amount.tolist() == [0, 30, 50]


TIMELESS = an_event_type(TX_DATETIME=None)


def test_without_a_time_events_are_shuffled_the_same_way_for_a_seed(read: Read) -> None:
    count = 2000
    columns: dict[str, Any] = {
        "TX_DATETIME": None,
        "CUSTOMER_ID": [f"C{i}" for i in range(count)],
        "TERMINAL_ID": ["T1"] * count,
        "TX_AMOUNT": list(range(count)),
        "CHANNEL": ["web"] * count,
        "TX_FRAUD": [int(i < 200) for i in range(count)],
    }
    data, again, other = (read(TIMELESS, seed, **columns) for seed in (1, 1, 2))
    assert data.time_us is None
    assert data.amount.tolist() == again.amount.tolist() != other.amount.tolist()
    assert sorted(data.amount) == list(range(count))
    customers = data.columns["CUSTOMER_ID"]
    assert isinstance(customers, TextColumn)
    named = [customers.values[code] for code in customers.codes]
    assert named == [f"C{amount:.0f}" for amount in data.amount], "rows stay whole"
    assert (data.is_fraud == (data.amount < 200)).all()
    assert data.is_fraud[: count // 2].sum() == pytest.approx(100, abs=30)
    assert (data.step[0], data.step[-1]) == (0, HOURS_WITHOUT_TIME - 1)
    assert (np.diff(data.step) >= 0).all()


def test_windows_without_a_time_are_refused_in_a_sentence(read: Read) -> None:
    data = read(an_event_type(TX_DATETIME={"kind": "timestamp"}))
    with pytest.raises(TrainingError, match="need a field with the role time"):
        data.matrix(features_of(WITH_WINDOWS))
    assert data.matrix(features_of(STATELESS)).shape == (3, 3)


OPEN = an_event_type(CHANNEL={"kind": "category", "optional": True})


def test_open_categories_are_learned_from_the_rows_of_the_fit_the_frequent_first(
    read: Read,
) -> None:
    data = read(OPEN, CHANNEL=["web", "fax", "late"])
    features = features_of_training(OPEN, None, data, slice(0, 2))
    assert features.feature_set.categories == {"CHANNEL": ("fax", "web")}
    assert "CHANNEL" in features.categorical
    column = features.names.index("CHANNEL")
    assert data.matrix(features)[:, column].tolist() == [0, 1, 2], "a later value is another one"


def test_given_categories_count_before_the_learned_ones(read: Read) -> None:
    given = features_of({"c": "code(CHANNEL)"}, OPEN, {"CHANNEL": ("web",)}).feature_set
    features = features_of_training(OPEN, given, read(OPEN), slice(0, 3))
    assert features.feature_set.categories == {"CHANNEL": ("web",)}


def test_features_that_do_not_fit_are_named_by_their_lines(read: Read) -> None:
    given = features_of({"a": "TX_AMOUNT", "shop": "SHOP"},
                        an_event_type(SHOP={"kind": "number"})).feature_set  # fmt: skip
    with pytest.raises(
        TrainingError, match=r"\n  features\.shop\.expression\n    SHOP\n    \^\^\^\^\n.*`SHOP`"
    ):
        features_of_training(an_event_type(), given, read(), slice(0, 3))


def test_an_event_type_of_which_nothing_can_be_learned_is_refused(read: Read) -> None:
    names = an_event_type(TX_DATETIME=None, TX_AMOUNT=None, CHANNEL=None)
    with pytest.raises(TrainingError, match="No feature can be made"):
        features_of_training(names, None, read(names), slice(0, 3))

"""The demo with somebody's own file: its event type, its sentences, the events that it scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sentinel.local.demo import own_samples, state
from sentinel.local.demo.errors import DemoError
from sentinel.local.demo.own_file import EVENT_TYPE, Described, OwnFile, describe
from tests.support.data.event_files import write_csv
from training.errors import TrainingError
from training.event_types.training_data import own_events

ROWS = 3000


def payments(**changes: list[Any]) -> dict[str, list[Any]]:
    """Return columns of card payments: a tenth is fraud."""
    rows = range(ROWS)
    return {
        "when": [f"2026-01-{1 + i // 100:02d} {i // 5 % 24:02d}:{i % 60:02d}:00" for i in rows],
        "card_id": [f"c{i % 300}" for i in rows],
        "merchant_id": [f"m{i % 70}" for i in rows],
        "amount": [round(5 + i % 83 + 0.25, 2) for i in rows],
        "fraud": (np.random.default_rng(3).random(ROWS) < 0.1).astype(int).tolist(),
        **changes,
    }


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "payments.csv", payments())


def described(home: Path, path: Path, label: str = "fraud", time: str | None = None) -> Described:
    return describe(home, OwnFile(path, label, time))


def test_the_event_type_of_a_file_is_inferred_once_and_then_read(
    tmp_path: Path, file: Path
) -> None:
    first = described(tmp_path, file)
    assert first.draft is not None
    path = first.keep(tmp_path)
    path.write_text(path.read_text().replace("entity: card", "entity: plastic"))
    again = described(tmp_path, file)
    assert again.draft is None
    assert again.event_type.kept["card_id"].entity == "plastic"
    assert again.fingerprint != first.fingerprint, "so the demo trains again"


def test_another_label_or_a_changed_file_is_inferred_again(tmp_path: Path, file: Path) -> None:
    described(tmp_path, file).keep(tmp_path)
    assert described(tmp_path, file, time="when").draft is not None
    write_csv(file, payments(extra=[i % 7 for i in range(ROWS)]))
    assert "extra" in described(tmp_path, file).event_type.kept


def test_an_event_type_with_another_label_than_the_one_named_is_refused(
    tmp_path: Path, file: Path
) -> None:
    path = described(tmp_path, file).keep(tmp_path)
    path.write_text(path.read_text().replace("label: fraud", "label: other"))
    with pytest.raises(DemoError, match="has the label other, and LABEL is fraud"):
        described(tmp_path, file)


def test_the_person_is_told_where_to_look(tmp_path: Path, file: Path) -> None:
    notes = described(tmp_path, file).notes(EVENT_TYPE)
    assert notes == [
        f"Look at {EVENT_TYPE}, the event type that was inferred from payments.csv: its comments "
        "name what the file leaves open. Change it where it is wrong, and run this again."
    ]


def test_dates_that_are_not_read_are_named_where_no_time_was_recognised(tmp_path: Path) -> None:
    when = [f"{1 + i // 100:02d}.01.2026 {i // 5 % 24:02d}:{i % 60:02d}" for i in range(ROWS)]
    found = described(tmp_path, write_csv(tmp_path / "payments.csv", payments(when=when)))
    assert found.notes(EVENT_TYPE)[2].endswith(
        "so windows over past events are left out; if it is when, write its dates as that file "
        "shows."
    )
    assert found.draft is not None
    assert "# Ignored: its cells are dates with the day first." in found.draft


@pytest.mark.parametrize(
    ("left_out", "sentence"),
    [
        (["when"], "so windows over past events are left out; TIME=column names it."),
        (["card_id", "merchant_id"], "so windows over its past events are left out;"),
        (["amount"], "No column was recognised as the amount"),
    ],
)
def test_what_the_file_lacks_is_named(tmp_path: Path, left_out: list[str], sentence: str) -> None:
    columns = {name: cells for name, cells in payments().items() if name not in left_out}
    path = write_csv(tmp_path / "payments.csv", columns | {"n": [i % 9 for i in range(ROWS)]})
    assert sentence in " ".join(described(tmp_path, path).notes(EVENT_TYPE))


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        ([0] * ROWS, "All 3,000 rows of payments.csv are legitimate by fraud; nothing can be"),
        ([1] * ROWS, "All 3,000 rows of payments.csv are fraud by fraud; nothing can be"),
        ([int(i < 39) for i in range(ROWS)], "39 of the 3,000 rows of payments.csv are fraud"),
        ([int(i > 5) for i in range(ROWS)], "6 of the 3,000 rows of payments.csv are legitimate"),
    ],
)
def test_labels_that_nothing_can_be_learned_from_are_refused(
    tmp_path: Path, labels: list[int], sentence: str
) -> None:
    path = write_csv(tmp_path / "payments.csv", payments(fraud=labels))
    with pytest.raises(DemoError, match=sentence):
        described(tmp_path, path)


@pytest.mark.parametrize(
    ("label", "sentence"),
    [
        ("frauds", r"lacks the column frauds; its columns are when, .*\. Did you mean fraud\?$"),
        ("is_fraud", r"Did you mean fraud\?$"),
        ("target", r"its columns are when, card_id, merchant_id, amount, fraud\.$"),
    ],
)
def test_a_label_that_is_no_column_gets_the_names_that_are_close(
    tmp_path: Path, file: Path, label: str, sentence: str
) -> None:
    with pytest.raises(TrainingError, match=sentence):
        described(tmp_path, file, label)


def test_more_features_than_a_model_may_have_are_refused_before_the_training(
    tmp_path: Path,
) -> None:
    few = 600
    many = {f"f{n}": [(i * (n % 10 + 1)) % 11 + 0.5 for i in range(few)] for n in range(470)}
    columns = {name: values[:few] for name, values in payments().items()} | many
    path = write_csv(tmp_path / "payments.csv", columns)
    with pytest.raises(TrainingError, match="features are made; a model has at most 500"):
        described(tmp_path, path).require_features()


def test_decimal_commas_become_numbers_of_json(tmp_path: Path) -> None:
    commas = [str(amount).replace(".", ",") for amount in payments()["amount"]]
    path = write_csv(tmp_path / "payments.csv", payments(amount=commas), separator=";")
    event_type = described(tmp_path, path).event_type
    data = own_events(path, event_type, seed=7)
    (sample, *_) = own_samples.samples(data, own_samples.choose(data))
    assert isinstance(sample.transaction["amount"], float)


def test_three_events_of_the_test_part_are_scored_which_share_no_entity(
    tmp_path: Path, file: Path
) -> None:
    data = own_events(file, described(tmp_path, file).event_type, seed=7)
    rows = own_samples.choose(data)
    assert data.is_fraud[rows].sum() == 2
    assert rows.min() >= 0.85 * ROWS
    assert np.all(np.diff(rows) > 0)
    chosen = own_samples.samples(data, rows)
    for name in ("card_id", "merchant_id"):
        assert len({one.transaction[name] for one in chosen}) == 3
    assert {"fraud", "TX"}.isdisjoint(chosen[0].transaction)
    assert "by fraud, 2026-01-" in chosen[0].title
    assert chosen[0].transaction["when"].endswith("Z")


def test_the_scored_events_are_kept_for_the_next_run(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match="name the file again, with DATA and LABEL"):
        own_samples.kept(tmp_path)
    chosen = [own_samples.Sample("A fraud", {"amount": 1.5, "note": "it's"})]
    own_samples.keep(tmp_path, chosen)
    assert own_samples.kept(tmp_path) == chosen


def test_what_the_model_was_trained_on_is_recorded(tmp_path: Path, file: Path) -> None:
    assert state.trained_on(tmp_path) is None
    about = described(tmp_path, file).fingerprint
    state.remember_data(tmp_path, about)
    assert state.trained_on(tmp_path) == about
    state.remember_data(tmp_path, None)
    assert state.trained_on(tmp_path) is None, "the simulator"

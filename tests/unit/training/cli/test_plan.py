"""`train` and `tune` make the plan of a training from their options in one place."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from scoring.policy import CostModel
from scoring.transaction import PAYSIM
from sentinel.event_type_file import EventTypeFileError
from training.cli.plan import read_plan
from training.errors import TrainingError
from training.train import Plan

COSTS = CostModel()
CARDS = "name: cards\nlabel: FRAUD\nfields:\n  PRICE: {kind: number}\n"


def plan(
    event_type: Path | None = None, features: Path | None = None, data: Path = Path("cards.csv")
) -> Plan:
    with click.Context(click.Command("train")):
        return read_plan("acme", data, event_type, features, 9, COSTS, 7)


def test_without_files_the_plan_is_one_for_paysim_with_its_own_features() -> None:
    made = plan()

    assert (made.tenant, made.data, made.until_step, made.costs, made.seed) == (
        *("acme", Path("cards.csv"), 9),
        *(COSTS, 7),
    )
    assert made.event_type is PAYSIM
    assert made.feature_set is None
    assert made.configuration is not None
    assert made.configuration.command == "train"


def test_the_event_type_and_the_features_are_those_of_their_files(tmp_path: Path) -> None:
    (tmp_path / "cards.yaml").write_text(CARDS)
    (tmp_path / "cards.csv").write_text("PRICE,FRAUD\n")
    (tmp_path / "features.yaml").write_text(
        "version: 1\nfeatures:\n- {name: price, expression: PRICE}\n"
    )

    made = plan(tmp_path / "cards.yaml", tmp_path / "features.yaml", tmp_path / "cards.csv")

    assert made.event_type.name == "cards"
    assert made.feature_set is not None
    assert [feature.name for feature in made.feature_set.definitions] == ["price"]


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EventTypeFileError, match="cannot be read"):
        plan(event_type=tmp_path / "gone.yaml")
    with pytest.raises(TrainingError, match="cannot be read"):
        plan(features=tmp_path / "gone.yaml")

"""Make the plan of a training from the options of `train` and `tune`."""

from __future__ import annotations

from pathlib import Path

from scoring.policy import CostModel
from scoring.transaction import PAYSIM
from sentinel.event_type_file import read_event_type
from training.cli.config_file import configuration
from training.event_types.loading import check_columns
from training.features.feature_file import read_feature_set
from training.train import Plan


def read_plan(
    tenant: str,
    data: Path | None,
    event_type: Path | None,
    features: Path | None,
    until_step: int | None,
    costs: CostModel,
    seed: int,
) -> Plan:
    """Return the plan of the current command, with the event type and the features of its files.

    Args:
        tenant: slug of the tenant.
        data: CSV or Parquet file; None for the simulator.
        event_type: file of the event type; None for PaySim's.
        features: file of the features; None for those that suit the event type.
        until_step: last hour that is used; None for `split.last_busy_step`.
        costs: cost of a missed fraud and of a false alarm.
        seed: seed of the simulator and the booster.

    Raises:
        EventTypeFileError: the file of the event type cannot be read, or is none.
        TrainingError: the file of the features cannot be read, or is none; or the data lack a
            column of the event type.
    """
    own = None if event_type is None else read_event_type(event_type)
    if own is not None and data is not None:
        check_columns(data, own)
    return Plan(
        tenant,
        data,
        until_step,
        costs,
        seed,
        event_type=own or PAYSIM,
        feature_set=None if features is None else read_feature_set(features),
        configuration=configuration(),
    )

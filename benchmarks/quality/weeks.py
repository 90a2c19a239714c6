"""Judge features on the five weeks before the test, without the service.

    python -m benchmarks.quality.weeks --data handbook.parquet --features features.yaml

What `features suggest` prints was chosen by these figures. Nothing here reads the test week.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np

from benchmarks.quality.data import LABEL, cut
from benchmarks.quality.published import DAYS, TEST_US, Payments, judge
from scoring.columns import FloatArray
from scoring.feature_set.model_features import ModelFeatures
from scoring.model.calibration import sigmoid
from scoring.windows.definition import DAY_US
from sentinel.errors import Command
from training.data.labelled_events import LabelledEvents
from training.data.split import split
from training.event_types.infer import infer
from training.event_types.training_data import own_events
from training.features.feature_file import read_feature_set
from training.features.of_training import features_of
from training.pipeline.booster import fit, settings_for

WEEKS_US = tuple(TEST_US - n * DAYS * DAY_US for n in range(5, 0, -1))
LEARNED_UNTIL_US = WEEKS_US[0] - 20 * DAY_US
STOPPED_UNTIL_US = WEEKS_US[0] - 14 * DAY_US
"""The booster stops by the last six days before the labels of the first week's cards count."""
FIGURES = ("average_precision", "auc", "card_precision_100", "log_loss")


@click.command(cls=Command)
@click.option("--data", type=click.Path(path_type=Path), required=True)
@click.option("--features", type=click.Path(path_type=Path), help="[default: those suggested]")
@click.option("--seed", "seeds", type=int, multiple=True, default=(7, 8), show_default=True)
def main(data: Path, features: Path | None, seeds: tuple[int, ...]) -> None:
    """Print the mean figures of the weeks, by seed."""
    with TemporaryDirectory() as folder:
        files = cut(data, Path(folder))
        events = own_events(files.past, infer(files.past, LABEL).event_type, 0)
    given = None if features is None else read_feature_set(features)
    used = features_of(events.event_type, given, events, slice(0, len(events)))
    click.echo(f"{len(used.names)} features, {len(used.windows)} windows")
    matrix = events.matrix(used)
    found = []
    for seed in seeds:
        trees, figures = judged_weeks(events, files.payments, used, matrix, seed)
        found.append(figures)
        click.echo(f"seed {seed}, {trees} trees: {_line(figures)}")
    click.echo(f"mean: {_line(np.mean(found, axis=0))}")


def judged_weeks(
    events: LabelledEvents, payments: Payments, used: ModelFeatures, matrix: FloatArray, seed: int
) -> tuple[int, FloatArray]:
    """Return the number of trees, and the mean of each of FIGURES over the weeks.

    Args:
        events: events up to the test.
        payments: the same payments, and maybe later ones.
        used: features of the booster.
        matrix: their values, float64 (number of events, number of features).
        seed: seed of the booster.
    """
    first, stop, end = np.searchsorted(
        payments.time_us, (WEEKS_US[0], LEARNED_UNTIL_US, STOPPED_UNTIL_US)
    ).tolist()
    parts = replace(
        split(events.step, events.is_fraud), learning=slice(0, stop), stopping=slice(stop, end)
    )
    fitted = fit(
        matrix, events.is_fraud, parts,
        seed=seed, features=used, on_round=lambda *_: None, chosen=settings_for(used),
    )  # fmt: skip
    score = np.zeros(len(payments.time_us))
    margin = fitted.booster.predict(matrix[first:], raw_score=True, num_threads=1)
    score[first : len(events)] = sigmoid(np.asarray(margin))
    weeks = [judge(payments, score, week) for week in WEEKS_US]
    return fitted.rounds, np.array([np.mean([week[name] for week in weeks]) for name in FIGURES])


def _line(figures: FloatArray) -> str:
    return ", ".join(f"{name} {one:.4f}" for name, one in zip(FIGURES, figures, strict=True))


if __name__ == "__main__":
    main()

"""Judge features on the published test week without the service: minutes instead of half an hour.

    python -m benchmarks.quality.offline --data handbook.parquet

Features have the same values as in the service, so the figures are those of `make bench-quality`.
They are for the last look at what `benchmarks.quality.weeks` chose, never for a choice.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np

from benchmarks.quality.data import LABEL, cut
from benchmarks.quality.published import TEST_END_US, TEST_US, TRAINING_END_US, Payments, judge
from scoring.columns import TextColumn
from scoring.policy import CostModel
from sentinel.errors import Command
from sentinel.local.terminal import open_console
from training.data.split import split
from training.event_types.infer import infer
from training.event_types.training_data import own_events
from training.features.feature_file import read_feature_set
from training.features.of_training import features_of
from training.pipeline.booster import settings_for
from training.pipeline.pipeline import Sample, learn
from training.progress import Reporter

SEED = 7
"""Seed of `train`, where none is given."""


@click.command(cls=Command)
@click.option("--data", type=click.Path(path_type=Path), required=True)
@click.option("--features", type=click.Path(path_type=Path), help="[default: those suggested]")
def main(data: Path, features: Path | None) -> None:
    """Train as `train` does on the payments before the test, and print the test's figures."""
    with TemporaryDirectory() as folder:
        event_type = infer(cut(data, Path(folder)).training, LABEL).event_type
    events = own_events(data, event_type, SEED)
    card = events.columns["CUSTOMER_ID"]
    if events.time_us is None or not isinstance(card, TextColumn):
        raise click.ClickException("The file has no times, or no customers.")
    payments = Payments(events.time_us, np.asarray(card.codes, np.int64), events.is_fraud)
    end, first, last = np.searchsorted(
        events.time_us, (TRAINING_END_US, TEST_US, TEST_END_US)
    ).tolist()
    parts = split(events.step[:end], events.is_fraud[:end])
    given = None if features is None else read_feature_set(features)
    used = features_of(event_type, given, events, parts.fit.rows)
    matrix = events.matrix(used)
    sample = Sample(
        matrix[:end], events.amount[:end], events.is_fraud[:end], events.step[:end], used
    )
    with Reporter(open_console()) as reporter:
        learned = learn(sample, parts, CostModel(), SEED, reporter, chosen=settings_for(used))
    score = np.zeros(len(events))
    model = learned.model
    score[first:last] = model.calibrator(model.margins(matrix[first:last]))
    figures = ", ".join(f"{name} {one:.4f}" for name, one in judge(payments, score).items())
    click.echo(
        f"{len(used.names)} features, {len(used.windows)} windows, {learned.fitted.rounds} trees: "
        f"{figures}"
    )


if __name__ == "__main__":
    main()

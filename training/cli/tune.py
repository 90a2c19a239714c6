"""`tune`: search for better parameters of the booster and register the best model."""

from __future__ import annotations

from pathlib import Path

import click

from sentinel.local.terminal import open_console
from sentinel.settings import Settings
from training.cli import options
from training.signals import end_on_signals


@click.command()
@options.tenant_option
@options.event_type
@options.optional_data
@options.features
@options.busy_until_step
@options.cost
@options.missed_fraud
@options.missed_fraud_share
@options.false_alarm
@options.seed
@click.option(
    "--trials",
    type=click.IntRange(min=1, max=10_000),
    default=30,
    show_default=True,
    help="Number of trials, including those of an interrupted search.",
)
@click.option(
    "--latency-budget-us",
    type=click.FloatRange(min=0, min_open=True),
    help="Most microseconds per row for scoring and explaining, in batches of 64.",
)
@click.option(
    "--timeout-minutes",
    type=click.FloatRange(min=0, min_open=True),
    help="Time after which no trial begins; run the same command to continue.",
)
def tune(
    tenant: str,
    event_type: Path | None,
    data: Path | None,
    features: Path | None,
    until_step: int | None,
    cost: str,
    missed_fraud: float | None,
    missed_fraud_share: float | None,
    false_alarm: float | None,
    seed: int,
    trials: int,
    latency_budget_us: float | None,
    timeout_minutes: float | None,
) -> None:
    """Search for parameters of the booster; register the best as `candidate`.

    Of the models whose savings are within one standard error of the best, the one that explains
    fastest is chosen. It is evaluated once on the test part. After an interruption, run the same
    command to continue.
    """
    costs = options.cost_model(cost, missed_fraud, missed_fraud_share, false_alarm)
    options.check_event_type(event_type, data)
    options.check_data(data, has_paysims_columns=event_type is None)
    end_on_signals()
    from training.cli.context import connect_to_train
    from training.cli.plan import read_plan
    from training.progress import Reporter
    from training.search.report import show_search
    from training.search.search import Search
    from training.search.search import tune as run
    from training.train_report import show

    settings = Settings()
    console = open_console()
    search = Search(
        plan=read_plan(tenant, data, event_type, features, until_step, costs, seed),
        trials=trials,
        latency_budget_us=latency_budget_us,
        timeout_minutes=timeout_minutes,
        home=settings.home_path / "tuning",
    )
    try:
        with Reporter(console) as reporter:
            tracking = connect_to_train(settings, tenant, data, reporter)
            tuned = run(search, tracking, reporter)
    except (KeyboardInterrupt, SystemExit):
        console.print("Interrupted; run the same command to continue the search.")
        raise
    show_search(tuned, console)
    if tuned.trained is not None:
        show(tuned.trained, console)
    elif tuned.choice.chosen is None:
        fastest = min(tuned.choice.ranked, key=lambda candidate: candidate.batch_us)
        raise click.ClickException(
            f"No model explains a row within {latency_budget_us:g} µs; the fastest, trial "
            f"{fastest.number}, takes {fastest.batch_us:.3g} µs. Nothing is registered. Raise "
            "--latency-budget-us, or --trials to search further; the trials so far are kept."
        )

"""`python -m benchmarks.rules`: the figures of docs/decisions/0018-rules-and-lists.md."""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
def main() -> None:
    """Measure what rules and lists cost, and the other ways to hold and evaluate them."""


rounds_option = click.option("--rounds", default=7, show_default=True, type=click.IntRange(min=1))
entries_option = click.option(
    "--entries", default=1_000_000, show_default=True, type=click.IntRange(min=1000)
)
rules_option = click.option(
    "--rules", "count", default=200, show_default=True, type=click.IntRange(min=1, max=500)
)


@main.command()
@entries_option
@rounds_option
def lists(entries: int, rounds: int) -> None:
    """Compare ways to hold the entries of lists: memory, a look-up, a change."""
    from benchmarks.rules.lists import compare

    compare(entries, rounds)


@main.command()
@rules_option
@rounds_option
def conditions(count: int, rounds: int) -> None:
    """Compare ways to evaluate the conditions of rules, for one payment and for many."""
    from benchmarks.rules.conditions import compare

    compare(count, rounds)


@main.command()
@rules_option
@entries_option
@rounds_option
def payments(count: int, entries: int, rounds: int) -> None:
    """Measure the verdict of a payment with and without rules and entries, and of 200,000."""
    from benchmarks.rules.payments import measure

    measure(count, entries, rounds)


@main.command()
@rules_option
@entries_option
@click.option("--rounds", default=16, show_default=True, type=click.IntRange(min=1))
@click.option("--seconds", default=2.0, show_default=True, type=click.FloatRange(min=0.1))
@click.option(
    "--home",
    default=Path(".sentinel/bench-rules"),
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
)
def requests(count: int, entries: int, rounds: int, seconds: float, home: Path) -> None:
    """Compare the requests a second of a tenant with rules and entries and one without."""
    from benchmarks.rules.requests import measure

    measure(count, entries, rounds, seconds, home)


@main.command()
@rounds_option
def history(rounds: int) -> None:
    """Measure backtests on 200,000 decisions in Postgres, from reading them to the intervals."""
    from benchmarks.rules.history import measure

    measure(rounds)


@main.command()
@rules_option
@rounds_option
def backtest(count: int, rounds: int) -> None:
    """Measure the backtest of 200,000 stored decisions, from their verdicts to the intervals."""
    from benchmarks.rules.backtest import measure

    measure(count, rounds)


@main.command()
@click.option("--runs", default=600, show_default=True, type=click.IntRange(min=1))
def coverage(runs: int) -> None:
    """Measure how often the interval of a backtest's money covers the truth."""
    from benchmarks.rules.coverage import measure

    measure(runs)


if __name__ == "__main__":
    main()

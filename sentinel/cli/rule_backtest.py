"""`sentinel rules backtest`: rules and thresholds on stored decisions."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click
from sqlalchemy import Engine

from persistence.deployments.served_versions import served_versions
from persistence.labels.reader import MATURITY_DAYS
from persistence.policies import newest_policy
from persistence.rules.backtesting import (
    History,
    RulesTried,
    RuleTried,
    Tested,
    Tried,
    try_on_history,
)
from persistence.tenancy import tenant_transaction
from persistence.tenants import find_tenant
from scoring.backtest.backtest import NoDecisions
from scoring.counted import counted
from scoring.errors import CommandError, NoModel
from scoring.evaluation.bootstrap import Interval
from scoring.policy import OUTCOMES, CostModel, Outcome, Thresholds
from scoring.rules.rule import DEFAULT_PRIORITY
from sentinel.cli.connection import connected_database
from sentinel.rule_file import read_rules
from sentinel.sentences import shown

_DAYS = click.FloatRange(0, 3650)
_PROBABILITY = click.FloatRange(0, 1, min_open=True, max_open=True)


@click.command("backtest")
@click.option("--tenant", required=True, metavar="SLUG", help="Tenant whose decisions these are.")
@click.option("--condition", help="Condition of one rule, beside what was in force.")
@click.option("--action", type=click.Choice(OUTCOMES), help="Outcome of that rule.")
@click.option(
    "--file",
    type=click.Path(path_type=Path),
    help="File of rules as `sentinel rules apply` reads them, in place of all rules. Those in "
    "shadow are tried as if live.",
)
@click.option("--threshold", type=_PROBABILITY, help="Score from which the model reviews.")
@click.option("--decline-from", type=_PROBABILITY, help="Score from which it declines.")
@click.option(
    "--maturity-days",
    type=_DAYS,
    default=MATURITY_DAYS,
    show_default=True,
    help="Only decisions at least so old.",
)
@click.option(
    "--window-days",
    type=click.FloatRange(0, 3650, min_open=True),
    default=90.0,
    show_default=True,
    help="How much older than that at most.",
)
def backtest(
    tenant: str,
    condition: str | None,
    action: Outcome | None,
    file: Path | None,
    threshold: float | None,
    decline_from: float | None,
    maturity_days: float,
    window_days: float,
) -> None:
    """Try a rule, rules or thresholds on the latest 200,000 mature decisions; changes nothing.

    Give --condition with --action, or --file, or --threshold. Money is reckoned at the tenant's
    costs; figures have 95 % intervals, in which a payment without a label is presumed honest.
    """
    tried = _tried(condition, action, file, threshold, decline_from)
    with connected_database() as (engine, _):
        owner = find_tenant(engine, tenant)
        costs = _costs(engine, owner.id)
        history = History(maturity_days, window_days, datetime.now(UTC))
        try:
            tested = try_on_history(engine, owner.id, tried, costs, history, _progress)
        except NoDecisions as error:
            raise CommandError(
                f"{error} None is older than --maturity-days {maturity_days:g} and within "
                f"--window-days {window_days:g} before that."
            ) from error
    _print(tested)


def _tried(
    condition: str | None,
    action: Outcome | None,
    file: Path | None,
    threshold: float | None,
    decline_from: float | None,
) -> Tried:
    ways = [condition is not None, file is not None, threshold is not None]
    if sum(ways) != 1:
        raise click.UsageError("Give exactly one of --condition, --file and --threshold.")
    if (condition is None) != (action is None):
        raise click.UsageError("--condition and --action belong together.")
    if decline_from is not None and threshold is None:
        raise click.UsageError("--decline-from needs --threshold.")
    if condition is not None and action is not None:
        return RuleTried(condition, action)
    if threshold is not None:
        try:
            return Thresholds(threshold, decline_from)
        except ValueError as error:
            raise click.UsageError("--decline-from must be at least --threshold.") from error
    assert file is not None  # noqa: S101 - one of the three is given
    rules = [rule for rule in read_rules(file) if rule.state != "off"]
    if not rules:
        raise CommandError(f"Every rule of {shown(file)} is off, so there is nothing to try.")
    rules.sort(key=lambda rule: DEFAULT_PRIORITY if rule.priority is None else rule.priority)
    return RulesTried([RuleTried(rule.condition, rule.action) for rule in rules])


def _costs(engine: Engine, tenant_id: int) -> CostModel:
    """Return the costs in force: the tenant's own, or those of the version in production."""
    with tenant_transaction(engine, tenant_id) as connection:
        own = newest_policy(connection, tenant_id)
        served = served_versions(connection, tenant_id)
    if own and own.policy:
        return own.policy.cost_model
    for version in served:
        if version.production_since:
            return version.policy.cost_model
    raise NoModel("No model version is in production for this tenant; promote one.")


def _progress(line: str) -> None:
    click.echo(line, err=True)


def _print(tested: Tested) -> None:
    result = tested.result
    click.echo(
        f"{counted(result.decisions, 'decision')}, {result.labelled:,} with a label,"
        f" {counted(result.frauds, 'known fraud')}"
        f"{'; there were more, these are the latest' if tested.past.truncated else ''}."
    )
    if tested.unknown:
        click.echo(
            f"For {counted(tested.unknown, 'decision')} a condition had no value: a field, a"
            " feature or a window is missing."
        )
    if result.firing is not None:
        firing = result.firing
        click.echo(
            f"fires\t{firing.fires:,}\tof which {firing.reviewed:,} were reviewed and"
            f" {firing.declined:,} declined already"
        )
        if firing.precision is not None:
            click.echo(f"precision\t{_interval(firing.precision, 3)}")
    difference = result.difference
    click.echo(f"money saved more\t{_interval(difference.saved, 2)}")
    click.echo(f"frauds stopped more\t{_interval(difference.frauds_stopped, 0)}")
    click.echo(f"frauds let pass\t{_interval(difference.frauds_let_pass, 0)}")
    click.echo(f"honest payments stopped more\t{_interval(difference.honest_stopped, 0)}")
    click.echo(f"honest payments let pass\t{_interval(difference.honest_let_pass, 0)}")
    for name, side in (("decided", result.decided), ("tried", result.candidate)):
        click.echo(
            f"{name}\tmoney saved {_interval(side.savings, 2)}, reviews"
            f" {side.reviews.value:,.0f}, declines {side.declines.value:,.0f}"
        )
    if result.has_few_frauds:
        click.echo("So few frauds are decided otherwise that the intervals are too short.")
    for place in result.examples:
        decisions = tested.past.decisions
        known = "fraud" if decisions.is_fraud[place] else "honest"
        click.echo(
            f"example\t{tested.past.transaction_id(place)}\t{decisions.amounts[place]:,.2f}\t"
            f"{OUTCOMES[decisions.outcomes[place]]} -> {OUTCOMES[tested.outcomes[place]]}\t"
            f"{known if decisions.labelled[place] else 'no label'}"
        )


def _interval(interval: Interval, digits: int) -> str:
    low, high = f"{interval.low:,.{digits}f}", f"{interval.high:,.{digits}f}"
    return f"{interval.value:,.{digits}f} ({low} to {high})"

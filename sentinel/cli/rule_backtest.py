"""`sentinel rules backtest`: rules, lists, thresholds and versions on stored decisions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast, get_args

import click
from sqlalchemy import Engine

from persistence.deployments.served_versions import served_versions
from persistence.labels.reader import MATURITY_DAYS
from persistence.policies import newest_policy
from persistence.rules.backtesting import History, Tested, try_on_history
from persistence.rules.checking import check_entity
from persistence.rules.tried import (
    ListTried,
    RulesTried,
    RuleTried,
    StoredListTried,
    Tried,
    VersionTried,
)
from persistence.tenancy import tenant_transaction
from persistence.tenants import find_tenant
from scoring.backtest.backtest import NoDecisions
from scoring.counted import counted
from scoring.errors import CommandError, NoModel
from scoring.evaluation.bootstrap import Interval
from scoring.lists.entity_list import ListAction
from scoring.policy import OUTCOMES, CostModel, Outcome, Thresholds
from scoring.rules.rule import DEFAULT_PRIORITY
from sentinel.cli.connection import connected_database
from sentinel.cli.named_files import named_file
from sentinel.operations.list_import import read_entities
from sentinel.rule_file import read_rules
from sentinel.sentences import shown

_DAYS = click.FloatRange(0, 3650)
_PROBABILITY = click.FloatRange(0, 1, min_open=True, max_open=True)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the options say is tried; None of an option that is not given."""

    condition: str | None
    action: Outcome | None
    file: Path | None
    list_or_file: str | None
    entity: str | None
    fields: tuple[str, ...]
    threshold: float | None
    decline_from: float | None
    version: int | None


@click.command("backtest")
@click.option("--tenant", required=True, metavar="SLUG", help="Tenant whose decisions these are.")
@click.option("--condition", help="Condition of one rule, beside what was in force.")
@click.option("--action", type=click.Choice(OUTCOMES), help="Outcome of that rule or list.")
@click.option(
    "--file",
    type=click.Path(path_type=Path),
    help="File of rules as `sentinel rules apply` reads them, in place of all rules. Those in "
    "shadow are tried as if live.",
)
@click.option(
    "--list",
    "list_or_file",
    metavar="NAME|FILE",
    help="A list in force, or a file of entities as `sentinel lists add` reads it, beside what was "
    "in force.",
)
@click.option("--entity", help="Kind of the entities of that file, such as customer.")
@click.option(
    "--field",
    "fields",
    multiple=True,
    help="A field that is looked up in that list; may be repeated."
    "  [default: every field of the entity]",
)
@click.option("--threshold", type=_PROBABILITY, help="Score from which the model reviews.")
@click.option("--decline-from", type=_PROBABILITY, help="Score from which it declines.")
@click.option(
    "--version",
    type=click.IntRange(1, 2**31 - 1),
    metavar="NUMBER",
    help="A model version in place of the one that decided, by the scores that it gave, in "
    "production or as challenger.",
)
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
    maturity_days: float,
    window_days: float,
    **tried_by: Any,  # noqa: ANN401 - the options of _Wanted
) -> None:
    """Try something on the latest 200,000 mature decisions; changes nothing.

    Give one of --condition (with --action), --file, --list (with --action), --threshold and
    --version. Money is reckoned at the tenant's costs; figures have 95 % intervals, in which a
    payment without a label is presumed honest.
    """
    wanted = _checked(_Wanted(**tried_by))
    with connected_database() as (engine, _):
        owner = find_tenant(engine, tenant)
        tried = _tried(engine, owner.id, wanted)
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


def _checked(wanted: _Wanted) -> _Wanted:
    """Return the options; refuse those that do not belong together."""
    ways = (wanted.condition, wanted.file, wanted.list_or_file, wanted.threshold, wanted.version)
    if sum(way is not None for way in ways) != 1:
        raise click.UsageError(
            "Give exactly one of --condition, --file, --list, --threshold and --version."
        )
    if wanted.list_or_file is None:
        if (wanted.condition is None) != (wanted.action is None):
            raise click.UsageError("--condition and --action belong together.")
        if wanted.entity is not None or wanted.fields:
            raise click.UsageError("--entity and --field need --list.")
    elif wanted.action not in get_args(ListAction):
        raise click.UsageError("--list needs --action approve or --action decline.")
    if wanted.decline_from is not None and wanted.threshold is None:
        raise click.UsageError("--decline-from needs --threshold.")
    return wanted


def _tried(engine: Engine, tenant_id: int, wanted: _Wanted) -> Tried:
    if wanted.condition is not None and wanted.action is not None:
        return RuleTried(wanted.condition, wanted.action)
    if wanted.list_or_file is not None:
        action = cast("ListAction", wanted.action)
        return _list_tried(engine, tenant_id, wanted.list_or_file, action, wanted)
    if wanted.version is not None:
        return VersionTried(wanted.version)
    if wanted.threshold is not None:
        try:
            return Thresholds(wanted.threshold, wanted.decline_from)
        except ValueError as error:
            raise click.UsageError("--decline-from must be at least --threshold.") from error
    assert wanted.file is not None  # noqa: S101 - one of them is given
    rules = [rule for rule in read_rules(wanted.file) if rule.state != "off"]
    if not rules:
        raise CommandError(
            f"Every rule of {shown(wanted.file)} is off, so there is nothing to try."
        )
    rules.sort(key=lambda rule: DEFAULT_PRIORITY if rule.priority is None else rule.priority)
    return RulesTried([RuleTried(rule.condition, rule.action) for rule in rules])


def _list_tried(
    engine: Engine, tenant_id: int, list_or_file: str, action: ListAction, wanted: _Wanted
) -> Tried:
    fields = wanted.fields or None
    file = named_file(list_or_file, "--list")
    if file is None:
        if wanted.entity is not None:
            raise click.UsageError("--entity is that of a file; a list in force has its own.")
        return StoredListTried(list_or_file, action, fields)
    if wanted.entity is None:
        raise click.UsageError("A file of entities needs --entity.")
    with tenant_transaction(engine, tenant_id) as connection:
        event_type = check_entity(connection, tenant_id, wanted.entity)
    values = read_entities(file, wanted.entity, event_type, _progress)
    return ListTried(wanted.entity, action, values, fields)


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
    if tested.unscored:
        click.echo(
            "Left out, because the version did not score them:"
            f" {counted(tested.unscored, 'other decision')}."
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
    if not result.frauds_changed:
        click.echo("No known fraud is decided otherwise.")
    elif result.has_few_frauds:
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

"""`sentinel rules`: conditions that decide beside the model."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from persistence.rules.changes import newest_change
from persistence.rules.checking import check_entity
from persistence.rules.in_force import StoredRule, rules_at
from persistence.rules.names import names_of_conditions
from persistence.rules.rules import rule_versions
from persistence.rules.snoozes import StoredSnooze, add_snooze, end_snooze, going_on
from persistence.tenancy import tenant_transaction
from persistence.tenants import find_tenant
from scoring.counted import counted
from scoring.lists.entry_rows import entity_fault, reason_fault
from scoring.printable import printable
from scoring.rules.compiled import unusable_rules
from scoring.rules.rule import RuleSet
from sentinel.cli.connection import actor, connected_database
from sentinel.cli.moments import later_time
from sentinel.cli.rule_backtest import backtest
from sentinel.operations.rule_apply import (
    AppliedRule,
    AppliedRules,
    apply_rules,
)
from sentinel.rule_file import read_rules
from sentinel.sentences import shown

_TIME = "%Y-%m-%d %H:%M:%S%z"
_NUMBER = click.IntRange(1, 2**31 - 1)

_TENANT = click.option(
    "--tenant", required=True, metavar="SLUG", help="Tenant whose rules these are."
)
_RULE = click.argument("rule_id", metavar="ID", type=_NUMBER)


@click.group("rules")
def rules_group() -> None:
    """Keep rules: conditions that approve, review or decline payments beside the model."""


@rules_group.command("list")
@_TENANT
def list_rules(tenant: str) -> None:
    """List a tenant's rules in the order in which they decide, those that are off at the end.

    A line has the rule's id, version, state, action, priority, name and condition, and whether it
    fits: a rule that no longer fits the event type, the version in production or the lists fails
    for every payment.
    """
    with connected_database() as (engine, _):
        owner = find_tenant(engine, tenant)
        with tenant_transaction(engine, owner.id) as connection:
            rules = rules_at(connection, owner.id, newest_change(connection, owner.id))
            schema = names_of_conditions(connection, owner.id)
    by_key = {stored.rule.key: stored for stored in rules}
    rule_set = RuleSet(tuple(stored.rule for stored in rules))
    problems = unusable_rules(rule_set, schema)
    for stored in (by_key[rule.key] for rule in rule_set.ordered):
        problem = problems.get(stored.rule.key)
        click.echo(f"{_rule_line(stored)}\t{printable(problem) if problem else 'fits'}")


@rules_group.command("show")
@_RULE
@_TENANT
def show(rule_id: int, tenant: str) -> None:
    """Print every version of the rule ID, the newest first, and its snoozes that go on."""
    with connected_database() as (engine, _):
        owner = find_tenant(engine, tenant)
        with tenant_transaction(engine, owner.id) as connection:
            versions = rule_versions(connection, owner.id, rule_id)
            snoozes = [one for one in going_on(connection, owner.id) if one.rule_id == rule_id]
    for stored in versions:
        when = f"{stored.created_at:{_TIME}}"
        click.echo(f"{_rule_line(stored)}\t{printable(stored.actor)}\t{when}")
    for snooze in snoozes:
        click.echo(f"snooze {snooze.id}\t{_snooze_text(snooze)}")


@rules_group.command("apply")
@click.argument("file", type=click.Path(path_type=Path))
@_TENANT
@click.option("--dry-run", is_flag=True, help="Print what would be done, and change nothing.")
def apply(file: Path, tenant: str, dry_run: bool) -> None:
    """Put the rules of FILE (YAML or JSON) in force, within a second in every process.

    FILE has `rules`, a list of mappings with name, condition, action (approve, review, decline)
    and, where wanted, state (off, shadow, live) and priority. A rule whose name is new is created,
    in shadow unless FILE says otherwise; of one that differs another version is made, in which
    what FILE leaves open stays as it is. The tenant's other rules are left alone.

    Everything is applied or, where anything is not valid, nothing.
    """
    rules = read_rules(file)
    with connected_database() as (engine, _):
        owner = find_tenant(engine, tenant)
        who = actor()
        with tenant_transaction(engine, owner.id, actor=who) as connection:
            done = apply_rules(connection, owner.id, file, rules, who)
            if dry_run:
                connection.rollback()
    for one in done.rules:
        click.echo(_applied_line(one))
    click.echo(_summary(done, shown(file), dry_run))


@rules_group.command("snooze")
@_RULE
@_TENANT
@click.option("--entity", required=True, help="Kind of entity, such as customer.")
@click.option("--value", required=True, help="The entity, as payments have it.")
@click.option(
    "--until",
    required=True,
    metavar="TIME",
    callback=later_time,
    help="When it ends (ISO 8601; without an offset: UTC).",
)
@click.option("--reason", required=True, help="Why the rule does not act on the entity.")
def snooze(
    rule_id: int, tenant: str, entity: str, value: str, until: datetime, reason: str
) -> None:
    """Keep the rule ID, in any version, from acting on the payments of one entity until a time.

    It is evaluated nonetheless, and decisions store its hits as snoozed.
    """
    for name, fault in (("--value", entity_fault(value)), ("--reason", reason_fault(reason))):
        if fault is not None:
            raise click.BadParameter(f"{fault}.", param_hint=f"'{name}'")
    with connected_database() as (engine, _):
        owner = find_tenant(engine, tenant)
        who = actor()
        with tenant_transaction(engine, owner.id, actor=who) as connection:
            check_entity(connection, owner.id, entity)
            stored = add_snooze(
                connection,
                owner.id,
                rule_id,
                entity=entity,
                value=value,
                until=until,
                reason=reason,
                actor=who,
            )
    click.echo(
        f"Snooze {stored.id}: rule {rule_id} does not act on {entity} {value} until "
        f"{stored.until:{_TIME}}."
    )


@rules_group.command("wake")
@_RULE
@click.argument("snooze_id", metavar="SNOOZE", type=_NUMBER)
@_TENANT
def wake(rule_id: int, snooze_id: int, tenant: str) -> None:
    """End the SNOOZE of the rule ID, by its number, before its time."""
    with connected_database() as (engine, _):
        owner = find_tenant(engine, tenant)
        with tenant_transaction(engine, owner.id, actor=actor()) as connection:
            end_snooze(connection, owner.id, rule_id, snooze_id)
    click.echo(f"Snooze {snooze_id} of rule {rule_id} has ended.")


def _rule_line(stored: StoredRule) -> str:
    rule = stored.rule
    return "\t".join(
        (
            f"rule {rule.id}",
            f"version {rule.version}",
            rule.state,
            rule.action,
            f"priority {rule.priority}",
            printable(rule.name),
            printable(rule.condition),
        )
    )


def _snooze_text(snooze: StoredSnooze) -> str:
    return "\t".join(
        (
            f"{snooze.entity} {printable(snooze.value)}",
            f"until {snooze.until:{_TIME}}",
            printable(snooze.reason),
            printable(snooze.actor),
        )
    )


def _applied_line(one: AppliedRule) -> str:
    rule = one.rule
    changes = f": {', '.join(one.changes)}" if one.changes else ""
    kept = f"; its condition stays as it was, for the file's does not fit: {one.kept}"
    return (
        f"{one.outcome}\trule {rule.id} version {rule.version}\t{rule.state}\t"
        f"{printable(rule.name)}{changes}{printable(kept) if one.kept else ''}"
    )


def _summary(done: AppliedRules, file: str, dry_run: bool) -> str:
    of_outcome = {
        outcome: sum(one.outcome == outcome for one in done.rules)
        for outcome in ("created", "changed", "unchanged")
    }
    counts = ", ".join(f"{count} {outcome}" for outcome, count in of_outcome.items())
    others = (
        f" {counted(done.others, 'other rule is', 'other rules are')} not in it and left alone."
        if done.others
        else ""
    )
    return f"{file}: {counts}{'; nothing was stored (--dry-run)' if dry_run else ''}.{others}"


rules_group.add_command(backtest)

"""`sentinel tenants`: create and list tenants, and set what holds for one."""

from __future__ import annotations

import click

from persistence import tenants
from registry.names import model_name
from scoring.printable import printable
from scoring.tenant import TenantLimits
from sentinel.cli.connection import actor, connected_database

_PAYMENTS_PER_SECOND = click.IntRange(0, 2**31 - 1)
"""What Postgres's integers hold."""


@click.group("tenants")
def tenants_group() -> None:
    """Create and list tenants; set test mode, four eyes, journal, limits and locale."""


@tenants_group.command("create")
@click.argument("slug")
@click.option("--model", help="Registered model in MLflow.  [default: fraud-SLUG]")
@click.option(
    "--test-mode", is_flag=True, help="Answer the fixed test transactions without a model."
)
def create_tenant(slug: str, model: str | None, test_mode: bool) -> None:
    """Create the tenant SLUG (lower-case letters, digits, dashes)."""
    with connected_database() as (engine, _):
        name = model_name(slug) if model is None else model
        tenant = tenants.create_tenant(engine, slug, name, is_test=test_mode, actor=actor())
    click.echo(
        f"Tenant {tenant.slug} is served by the registered model {tenant.model_name}"
        + (", and is in test mode." if tenant.is_test else ".")
    )


@tenants_group.command("list")
def list_tenants() -> None:
    """List every tenant with its registered model; whether it is live, four eyes, journal."""
    with connected_database() as (engine, _):
        for tenant in tenants.list_tenants(engine):
            mode = "test" if tenant.is_test else "live"
            eyes = "\tfour eyes" if tenant.four_eyes else ""
            if tenant.four_eyes_policy:
                eyes += "\tfour eyes for thresholds"
            journal = "\tjournal" if tenant.journal else ""
            click.echo(f"{tenant.slug}\t{printable(tenant.model_name)}\t{mode}{eyes}{journal}")


@tenants_group.command("mode")
@click.argument("slug")
@click.argument("mode", type=click.Choice(["live", "test"]))
def set_mode(slug: str, mode: str) -> None:
    """Put the tenant SLUG in test mode, or make it live; takes effect within seconds.

    In test mode the fixed test transactions are answered without a model; the tenant's model
    decides every other one.
    """
    with connected_database() as (engine, _):
        tenant = tenants.set_test_mode(engine, slug, mode == "test", actor=actor())
    click.echo(f"Tenant {tenant.slug} is {'in test mode' if tenant.is_test else 'live'}.")


@tenants_group.command("four-eyes")
@click.argument("slug")
@click.argument("state", type=click.Choice(["on", "off"]))
@click.option(
    "--for",
    "subject",
    type=click.Choice(["versions", "thresholds"]),
    default="versions",
    show_default=True,
    help="What a second person approves.",
)
def set_four_eyes(slug: str, state: str, subject: str) -> None:
    """Ask for a second person's approval of what the tenant SLUG changes, or no longer.

    Of versions: a version under `production` then serves only once somebody else than the person
    who promoted it has approved it with POST /models/VERSION/approve; the same holds for a
    challenger's canary. The version in production goes on.

    Of thresholds: a save in the console, PUT /policy and DELETE /policy then make a proposal, which
    somebody else with the scope `admin` approves or refuses. The policy in force goes on. A tenant
    without a policy of its own has each version's thresholds, which come with the version: ask for
    four eyes of versions, too.

    Takes effect within seconds.
    """
    is_on = state == "on"
    with connected_database() as (engine, _):
        if subject == "thresholds":
            tenant = tenants.set_four_eyes_policy(engine, slug, is_on, actor=actor())
        else:
            tenant = tenants.set_four_eyes(engine, slug, is_on, actor=actor())
    if subject == "thresholds":
        when = "after a second person's approval" if is_on else "as soon as they are saved"
        click.echo(f"Tenant {tenant.slug}: thresholds are in force {when}.")
    else:
        when = "only after a second person's approval" if is_on else "as soon as it is promoted"
        click.echo(f"Tenant {tenant.slug}: a version serves {when}.")


@tenants_group.command("journal")
@click.argument("slug")
@click.argument("state", type=click.Choice(["on", "off"]))
def set_journal(slug: str, state: str) -> None:
    """Decide the payments of the tenant SLUG while Postgres is away, or refuse them (off).

    With on, a decision goes to a journal on the disk of the process, the reply has
    `"stored": "journal"`, and Postgres gets it when it is back. A repeat is then recognised only
    among what the same process has journalled, and windows of past events are missing to the model.
    Takes effect within seconds, while Postgres is there.
    """
    with connected_database() as (engine, _):
        tenant = tenants.set_journal(engine, slug, state == "on", actor=actor())
    click.echo(
        f"Tenant {tenant.slug}: while Postgres is away, decisions go to the journal."
        if tenant.journal
        else f"Tenant {tenant.slug}: while Postgres is away, payments are refused (503)."
    )


@tenants_group.command("limits")
@click.argument("slug")
@click.option(
    "--tenant",
    "per_tenant",
    type=_PAYMENTS_PER_SECOND,
    help="Payments a second of the whole tenant; 0: no limit.",
)
@click.option(
    "--key",
    "per_key",
    type=_PAYMENTS_PER_SECOND,
    help="Payments a second of each of its API keys; 0: no limit.",
)
def set_limits(slug: str, per_tenant: int | None, per_key: int | None) -> None:
    """Limit the payments a second of the tenant SLUG, or show its limits.

    A payment over a limit is refused (429) with the time after which to send it again. What may be
    sent in a second may also be sent at once. Each service process counts by itself: with three,
    a tenant may send up to three times as many. Takes effect within seconds.
    """
    with connected_database() as (engine, _):
        tenant = tenants.find_tenant(engine, slug)
        if per_tenant is not None or per_key is not None:
            limits = TenantLimits(
                tenant.payments_per_second if per_tenant is None else per_tenant or None,
                tenant.key_payments_per_second if per_key is None else per_key or None,
            )
            tenant = tenants.set_limits(engine, slug, limits, actor=actor())
    of_tenant = tenant.payments_per_second or "no limit"
    of_key = tenant.key_payments_per_second or "no limit"
    click.echo(f"Tenant {slug}, payments a second and process: {of_tenant}; each key: {of_key}.")


@tenants_group.command("locale")
@click.argument("slug")
@click.option("--currency", help="Code of the amounts, ISO 4217, such as EUR.")
@click.option("--time-zone", help="IANA name of the zone of the times, such as Europe/Berlin.")
def set_locale(slug: str, currency: str | None, time_zone: str | None) -> None:
    """Say how the console writes the amounts and times of the tenant SLUG.

    A new tenant's amounts have no currency, and its times are in UTC.
    """
    if currency is None and time_zone is None:
        raise click.UsageError("Give --currency, --time-zone or both.")
    with connected_database() as (engine, _):
        tenants.set_locale(engine, slug, currency=currency, time_zone=time_zone, actor=actor())
    changed = [text for text in (currency and currency.upper(), time_zone) if text]
    click.echo(f"The console shows {slug} in {' and '.join(changed)} from the next page on.")

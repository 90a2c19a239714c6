"""The `sentinel` command: tenants, their keys, the database, and the demo."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib import import_module
from importlib.util import find_spec
from uuid import UUID

import click
from sqlalchemy import Engine

from persistence import api_keys, tenants
from persistence.drift.bin_counts import Window
from persistence.engine import OPERATOR_TIMEOUT_S, STATEMENT_TIMEOUT_S, open_database
from persistence.maintenance import maintenance, migrate
from registry.client.factory import open_registry
from registry.names import model_name
from sentinel.errors import CommandGroup
from sentinel.local.database_url import database_url
from sentinel.local.terminal import step
from sentinel.operations.drift_monitor import monitor, parse_window, show
from sentinel.settings import Settings


class _Commands(CommandGroup):
    """Adds the one-machine commands where their packages (the `training` extra) are installed."""

    def list_commands(self, context: click.Context) -> list[str]:
        """Return the names that `--help` shows."""
        local = ["demo", "stop"] if find_spec("mlflow") else []
        return sorted([*super().list_commands(context), *local])

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Return a command; the local ones are imported only when asked for."""
        if name in self.list_commands(context) and name in {"demo", "stop"}:
            found: click.Command = getattr(import_module("sentinel.local.demo.demo"), name)
            return found
        return super().get_command(context, name)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Run Sentinel: tenants, API keys, the database.

    Settings come from the environment: DATABASE_URL (unset: an embedded Postgres under
    SENTINEL_HOME, which is .sentinel), MLFLOW_TRACKING_URI, SENTINEL_KEY_SECRET.
    """


@contextmanager
def _database(
    statement_timeout_s: float = STATEMENT_TIMEOUT_S,
) -> Iterator[tuple[Engine, Settings]]:
    settings = Settings()
    with database_url(settings) as url:
        engine = open_database(url, pool_size=1, statement_timeout_s=statement_timeout_s)
        try:
            yield engine, settings
        finally:
            engine.dispose()


@main.group("tenants")
def tenants_group() -> None:
    """Create and list tenants, put them in test mode."""


@tenants_group.command("create")
@click.argument("slug")
@click.option("--model", help="Registered model in MLflow.  [default: fraud-SLUG]")
@click.option(
    "--test-mode", is_flag=True, help="Answer the fixed test transactions without a model."
)
def create_tenant(slug: str, model: str | None, test_mode: bool) -> None:
    """Create the tenant SLUG (lower-case letters, digits, dashes)."""
    with _database() as (engine, _):
        tenant = tenants.create_tenant(engine, slug, model or model_name(slug), is_test=test_mode)
    click.echo(
        f"Tenant {tenant.slug} is served by the registered model {tenant.model_name}"
        + (", and is in test mode." if tenant.is_test else ".")
    )


@tenants_group.command("list")
def list_tenants() -> None:
    """List every tenant, its registered model, and whether it is live or in test mode."""
    with _database() as (engine, _):
        for tenant in tenants.list_tenants(engine):
            mode = "test" if tenant.is_test else "live"
            click.echo(f"{tenant.slug}\t{tenant.model_name}\t{mode}")


@tenants_group.command("mode")
@click.argument("slug")
@click.argument("mode", type=click.Choice(["live", "test"]))
def set_mode(slug: str, mode: str) -> None:
    """Put the tenant SLUG in test mode, or make it live; felt within seconds.

    In test mode the fixed test transactions are answered without a model; every other one is
    decided as ever.
    """
    with _database() as (engine, _):
        tenant = tenants.set_test_mode(engine, slug, mode == "test")
    click.echo(f"Tenant {tenant.slug} is {'in test mode' if tenant.is_test else 'live'}.")


@main.group("keys")
def keys_group() -> None:
    """Issue, list and revoke API keys."""


@keys_group.command("issue")
@click.option("--tenant", required=True, help="The tenant's slug.")
@click.option(
    "--scopes",
    required=True,
    help=f"Comma-separated, of {', '.join(api_keys.SCOPES)}.",
)
@click.option("--days", type=click.IntRange(1, 3650), help="Lifetime.  [default: no end]")
def issue_key(tenant: str, scopes: str, days: int | None) -> None:
    """Issue an API key and print it: it is not stored and cannot be shown again."""
    with _database() as (engine, settings):
        owner = tenants.find_tenant(engine, tenant)
        wanted = tuple(scope.strip() for scope in scopes.split(",") if scope.strip())
        ends = datetime.now(UTC) + timedelta(days=days) if days else None
        key = api_keys.issue_key(engine, owner.id, wanted, settings.resolve_key_secret(), ends)
    click.echo(key)
    if sys.stdout.isatty():
        click.echo("Keep it: only its keyed hash is stored.", err=True)


@keys_group.command("list")
@click.option("--tenant", required=True, help="The tenant's slug.")
def list_keys(tenant: str) -> None:
    """List a tenant's keys by their public prefix, newest first."""
    with _database() as (engine, _):
        for key in api_keys.list_keys(engine, tenants.find_tenant(engine, tenant).id):
            state = f"revoked {key.revoked_at:%F}" if key.revoked_at else "in force"
            if not key.revoked_at and key.expires_at:
                state = f"ends {key.expires_at:%F}"
            used = f"used {key.last_used_at:%F %R}" if key.last_used_at else "never used"
            scopes = ",".join(key.scopes)
            click.echo(f"{key.prefix}\t{scopes}\tmade {key.created_at:%F}\t{used}\t{state}")


@keys_group.command("revoke")
@click.option("--tenant", required=True, help="The tenant's slug.")
@click.argument("prefix")
def revoke_key(tenant: str, prefix: str) -> None:
    """Revoke the key with the public PREFIX (`sk_PREFIX_...`); felt within seconds."""
    with _database() as (engine, _):
        owner = tenants.find_tenant(engine, tenant)
        api_keys.revoke_key(engine, owner.id, prefix.removeprefix("sk_").split("_")[0])
    click.echo("Revoked.")


@main.group("db")
def db_group() -> None:
    """Upgrade the database's schema, and keep its partitions."""


@db_group.command("upgrade")
def upgrade() -> None:
    """Bring the database to this release's schema; safe to repeat."""
    with database_url(Settings()) as url:
        revision = migrate.upgrade(url)
    click.echo(f"The database is at revision {revision}.")


@db_group.command("maintain")
@click.option(
    "--retain-months",
    type=click.IntRange(min=1),
    help="Keep this many whole months before this one, and drop older decisions with their"
    " idempotency keys and feedback.  [default: keep everything]",
)
@click.option(
    "--pause",
    type=click.FloatRange(min=0, min_open=True),
    default=maintenance.PAUSE_S,
    show_default=True,
    help="Seconds that scoring may have to wait at a time.",
)
@click.option("--dry-run", is_flag=True, help="Only say what there is to do.")
def maintain(retain_months: int | None, pause: float, dry_run: bool) -> None:
    """Make the partitions of the coming months, and drop those past their retention.

    Run it every month, or every day; while it runs the service goes on scoring.
    """
    with _database(OPERATOR_TIMEOUT_S) as (engine, _):
        maintenance.maintain(
            engine,
            datetime.now(UTC),
            retain_months=retain_months,
            pause_s=pause,
            dry_run=dry_run,
            report=click.echo,
        )


def _length(_context: click.Context, _option: click.Parameter, value: str) -> timedelta:
    try:
        return parse_window(value)
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from error


@main.command("monitor")
@click.option(
    "--window",
    "length",
    default="24h",
    show_default=True,
    callback=_length,
    help="How far back to look, in hours or days, such as 24h or 7d.",
)
@click.option("--tenant", help="The slug of the only tenant to look at.  [default: all]")
def monitor_drift(length: timedelta, tenant: str | None) -> None:
    """Measure how far stored predictions have drifted from what their model was trained on.

    Run it every hour; an alert says when it is late. GET /drift and the metrics tell the latest run
    of each tenant; exit status 0 whether anything drifts or not.
    """
    until = datetime.now(UTC)
    window = Window(until - length, until)
    with _database(OPERATOR_TIMEOUT_S) as (engine, settings):
        whose = [tenants.find_tenant(engine, tenant)] if tenant else tenants.list_tenants(engine)
        with step("Comparing stored predictions with training"):
            runs = list(monitor(engine, open_registry(settings.tracking_uri), whose, window))
    if not runs:
        click.echo("No version is in production and none decided in the window; nothing to store.")
        return
    show(runs, window)


@main.command("replay")
@click.argument("prediction_id", type=click.UUID)
def replay_decision(prediction_id: UUID) -> None:
    """Recompute the stored decision PREDICTION_ID from its transaction and model version.

    Exit status 0 when margin and score are bit-identical and the contributions equal within 1e-9;
    1 when a number differs.
    """
    # LightGBM and Numba, 1.8 s, which no other command needs.
    from registry.store.model_store import ModelStore
    from sentinel.operations.replay import replay

    with _database() as (engine, settings):
        registry = open_registry(settings.tracking_uri)
        model_store = ModelStore(registry, settings.model_cache)
        decided, found = replay(engine, registry, model_store, prediction_id)
    model = decided.prediction.model
    for difference in found:
        click.echo(f"{difference.what}: {difference.stored!r} is now {difference.recomputed!r}")
    if found:
        raise click.ClickException(
            f"{model.name} version {model.version} does not repeat the decision."
        )
    click.echo(
        f"{model.name} version {model.version} repeats it to the last bit: "
        f"margin {decided.prediction.margin!r}, score {decided.prediction.score!r}."
    )

"""The demo's tenant: its key, and the data that it sends."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from pathlib import Path

import numpy as np
from sqlalchemy import Engine

from persistence import api_keys, tenants
from persistence.event_types import apply_event_type, current_event_type
from persistence.history.removal import remove_history
from persistence.tenancy import tenant_transaction
from persistence.tenants import Tenant
from registry.names import model_name
from scoring.counted import counted
from scoring.errors import NotFound
from scoring.event_type.fields import EventType
from scoring.transaction import PAYSIM
from sentinel.command_actor import command_actor
from sentinel.local.demo import own_payments, own_samples, state
from sentinel.local.demo.own_file import Described
from sentinel.local.demo.payments import Payment
from sentinel.local.demo.promotion import COMMAND
from sentinel.local.terminal import console, step
from sentinel.sentences import shown

TENANT = "demo"
KEY_NAME = "demo"
SCOPES = ("score", "review", "admin")
SEED = 7
"""Seed of the training and of the order of events without a time, so that those that are scored are
of the training's test part."""


def tenant_and_key(engine: Engine, secrets: tuple[bytes, ...], kept: str) -> str:
    """Return the demo's API key, after its tenant was made if it is not there.

    Args:
        engine: pool of connections, of the owner of the tables.
        secrets: secrets of the keys, the newest first.
        kept: key of an earlier run, which is returned while it is valid; or empty.
    """
    by_slug = {tenant.slug: tenant for tenant in tenants.list_tenants(engine)}
    actor = command_actor(COMMAND)
    tenant = by_slug.get(TENANT) or tenants.create_tenant(
        engine, TENANT, model_name(TENANT), is_test=True, actor=actor
    )
    if not tenant.is_test:  # made by an earlier release
        tenant = tenants.set_test_mode(engine, TENANT, True, actor=actor)
    principal = api_keys.verify_key(engine, kept, *secrets)
    if principal and principal.tenant_id == tenant.id and principal.scopes.issuperset(SCOPES):
        return kept
    # The name is free again: this folder has lost the key that has it.
    with suppress(NotFound):
        api_keys.revoke_key(engine, tenant.id, KEY_NAME, actor=actor)
    return api_keys.issue_key(engine, tenant.id, SCOPES, secrets[0], name=KEY_NAME, actor=actor)


def send_paysim(engine: Engine, home: Path) -> None:
    """Let the tenant send PaySim's transactions, if it sends another event type.

    Args:
        engine: pool of connections, of the owner of the tables.
        home: directory of the demo's state.
    """
    tenant = tenants.find_tenant(engine, TENANT)
    stored = current_event_type(engine, tenant.id)
    if stored is None or stored.event_type == PAYSIM:
        return
    state.remember_change(home)
    _apply(engine, tenant, PAYSIM)
    remove_history(engine, tenant.id, command_actor(COMMAND))


def send_own_events(
    engine: Engine, home: Path, described: Described, *, now: datetime | None = None
) -> list[Payment]:
    """Let the tenant send the events of a file, and give their entities the past of the file.

    Args:
        engine: pool of connections, of the owner of the tables.
        home: directory of the demo's state, which gets the events that the demo scores.
        described: the file and its event type.
        now: time before which the last events of the file are to be decided; None: they are not.

    Returns:
        The last events of the file, at the times at which they are to be decided. They are not
        imported.

    Raises:
        TrainingError: the file cannot be read.
    """
    # Imported late: Arrow takes 0.3 s to load.
    from training.event_types.training_data import own_events

    tenant = tenants.find_tenant(engine, TENANT)
    source = shown(described.file.path.name)
    actor = command_actor(COMMAND)
    with step(f"Choosing three events of {source}"):
        data = own_events(described.file.path, described.event_type, SEED)
        chosen = own_samples.choose(data)
    state.remember_change(home)
    _apply(engine, tenant, described.event_type)
    own_samples.keep(home, own_samples.samples(data, chosen))
    remove_history(engine, tenant.id, actor)
    rows = own_payments.recent(data, chosen) if now else chosen[:0]
    payments = own_payments.payments(data, rows, now) if now and rows.size else []
    if data.time_us is None or not own_samples.has_entities(data.event_type):
        return payments
    left_out = np.union1d(chosen, rows)
    with step(f"Importing the past events of {source}") as detail:
        count = own_samples.import_past(
            engine, tenant, data, left_out, actor, lambda rows: detail(f"{counted(rows, 'row')}")
        )
    console.print(
        f"{counted(count, 'event')} of {source}, those of the {own_samples.HISTORY_DAYS} days "
        "before its last one, are the past of their entities, but for "
        f"{'those that are' if payments else 'the three that are'} scored below."
    )
    return payments


def _apply(engine: Engine, tenant: Tenant, event_type: EventType) -> None:
    actor = command_actor(COMMAND)
    before = current_event_type(engine, tenant.id)
    with tenant_transaction(engine, tenant.id, actor=actor) as connection:
        stored, _ = apply_event_type(connection, tenant.id, event_type, actor, replace=True)
    now = f"{stored.event_type.name} (version {stored.version})"
    if before is not None and before.id != stored.id:
        console.print(
            f"The event type {now} replaces {before.event_type.name} (version {before.version}) "
            f"for the tenant {tenant.slug}."
        )
    else:
        console.print(f"The event type {now} is in force for the tenant {tenant.slug}.")

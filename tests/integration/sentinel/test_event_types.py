"""`sentinel event-types`: apply, show, diff and list a tenant's event type."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine

from persistence.event_types import current_event_type
from persistence.tenants import Tenant
from scoring.event_type.fields import EventType
from sentinel.cli.main import main
from sentinel.command_actor import os_user
from sentinel.event_type_file import as_yaml
from tests.support.event_types import an_event_type
from tests.support.fixture_types import MakeTenant, Rows

CARDS = an_event_type()
WITH_NOTE = an_event_type(NOTE={"kind": "text", "optional": True})
WITHOUT_CHANNEL = an_event_type(CHANNEL=None)
Run = Callable[..., Result]


@pytest.fixture
def tenant(make_tenant: MakeTenant) -> Tenant:
    return make_tenant("acme")


@pytest.fixture
def run(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tenant: Tenant) -> Run:
    """A function that runs a command for the tenant, with an event type in a file."""
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("SENTINEL_HOME", str(tmp_path / "home"))

    def command(
        name: str, event_type: EventType | None = None, *options: str, slug: str = tenant.slug
    ) -> Result:
        arguments = []
        if event_type is not None:
            file = tmp_path / "cards.yaml"
            file.write_text(as_yaml(event_type), "utf-8")
            arguments = [str(file)]
        return CliRunner().invoke(
            main, ["event-types", name, *arguments, "--tenant", slug, *options]
        )

    return command


def test_an_event_type_is_applied_shown_and_listed(
    run: Run, engine: Engine, tenant: Tenant, rows: Rows
) -> None:
    applied = run("apply", CARDS)
    assert applied.exit_code == 0, applied.output
    assert applied.output == "card_payment version 1 is in force for tenant acme.\n"
    stored = current_event_type(engine, tenant.id)
    assert stored is not None
    assert stored.event_type == CARDS
    assert run("show").output == as_yaml(CARDS)
    (listed,) = run("list").output.splitlines()
    assert listed.startswith("card_payment version 1\t")
    assert listed.endswith(f"\t{os_user()}\t5 fields")
    (entry,) = rows("SELECT actor, via FROM audit_log WHERE action = 'event_type.created'")
    assert entry == {"actor": os_user(), "via": "sentinel event-types apply"}


def test_what_is_shown_can_be_applied(run: Run, tmp_path: Path, tenant: Tenant) -> None:
    run("apply", CARDS)
    shown = tmp_path / "shown.yaml"
    shown.write_text(run("show").output)
    again = CliRunner().invoke(main, ["event-types", "apply", str(shown), "--tenant", tenant.slug])
    assert again.output == "card_payment version 1 is in force for tenant acme.\n"


def test_before_the_first_one_paysims_is_shown(run: Run) -> None:
    assert run("show").output.startswith("# PaySim's, which is built in")
    assert run("list").output == "paysim\tbuilt in\t9 fields\n"
    assert run("diff", CARDS).output == ("No event type was applied for this tenant; any may be.\n")


def test_a_compatible_change_is_shown_and_applied(run: Run) -> None:
    run("apply", CARDS)
    shown = run("diff", WITH_NOTE)
    assert (shown.exit_code, shown.output) == (0, "compatible: NOTE is new and optional.\n")
    applied = run("apply", WITH_NOTE)
    assert applied.output == f"{shown.output}card_payment version 2 is in force for tenant acme.\n"
    assert run("diff", WITH_NOTE).output == "card_payment version 2 is the same.\n"


def test_an_incompatible_change_is_refused_unless_it_shall_replace(run: Run) -> None:
    run("apply", CARDS)
    shown = run("diff", WITHOUT_CHANNEL)
    assert shown.exit_code == 1
    assert shown.output.startswith("INCOMPATIBLE: CHANNEL is removed")
    refused = run("apply", WITHOUT_CHANNEL)
    assert refused.exit_code == 1
    assert "With --replace it is another event type from now on." in refused.output
    assert "CHANNEL is removed" in str(refused.output) + str(refused.exception)
    assert run("show").output == as_yaml(CARDS)
    assert run("apply", WITHOUT_CHANNEL, "--replace").exit_code == 0
    assert run("show").output == as_yaml(WITHOUT_CHANNEL)


@pytest.mark.parametrize("name", ["show", "list"])
def test_an_unknown_tenant_is_named(run: Run, name: str) -> None:
    result = run(name, slug="nobody")
    assert result.exit_code == 1
    assert "nobody" in str(result.output) + str(result.exception)

"""`sentinel rules`: apply rules from a file, list and show them, snooze and wake them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from sqlalchemy import Engine

from persistence.decisions.rows import Decided
from persistence.decisions.shadow_scores import ShadowLog
from persistence.decisions.writer import DecisionLog
from persistence.deployments.recording import record_challenger
from persistence.event_types import apply_event_type
from persistence.rules import rules as stored_rules
from persistence.tenancy import SERVICE, tenant_transaction
from persistence.tenants import Tenant
from scoring.lists.entry_rows import NewEntry
from scoring.prediction import ModelVersion
from scoring.transaction import Transaction
from sentinel.cli.main import main
from sentinel.command_actor import os_user
from tests.support.data.own_events import label, own_model
from tests.support.data.rules import put_entries, put_list, put_rule
from tests.support.data.shadow import a_shadow_score
from tests.support.event_types import an_event_type
from tests.support.factories import a_decision, decision_at
from tests.support.fixture_types import MakeTenant, Rows

Run = Callable[..., Result]
LARGE = {"name": "large", "condition": "amount>1e3", "action": "review"}
WATCHED = {
    "name": "watched",
    "condition": "in_list('watched', nameDest) and score > 0.5",
    "action": "decline",
    "state": "live",
    "priority": 7,
}


@pytest.fixture
def tenant(make_tenant: MakeTenant, service_engine: Engine) -> Tenant:
    made = make_tenant()
    put_list(service_engine, made.id, "watched", action=None)
    return made


@pytest.fixture
def run(database: str, monkeypatch: pytest.MonkeyPatch, tenant: Tenant) -> Run:
    """A function that runs a command of `sentinel rules` for the tenant."""
    monkeypatch.setenv("DATABASE_URL", database)

    def command(name: str, *arguments: object, slug: str = tenant.slug) -> Result:
        words = ["rules", name, *map(str, arguments), "--tenant", slug]
        return CliRunner().invoke(main, words)

    return command


@pytest.fixture
def apply(run: Run, tmp_path: Path) -> Run:
    """A function that applies rules from a file."""

    def command(*rules: dict[str, Any], options: tuple[str, ...] = ()) -> Result:
        path = tmp_path / "rules.yaml"
        path.write_text(yaml.safe_dump({"rules": list(rules)}))
        return run("apply", path, *options)

    return command


def listed(run: Run) -> list[list[str]]:
    return [line.split("\t") for line in run("list").output.splitlines()]


def test_new_rules_are_created_and_listed_in_the_order_in_which_they_decide(
    run: Run, apply: Run, rows: Rows, tmp_path: Path
) -> None:
    done = apply(LARGE, WATCHED)
    assert (done.exit_code, done.output) == (
        0,
        "created\trule 1 version 1\tshadow\tlarge\n"
        "created\trule 2 version 1\tlive\twatched\n"
        f"{tmp_path}/rules.yaml: 2 created, 0 changed, 0 unchanged.\n",
    )
    assert listed(run) == [
        [
            *("rule 2", "version 1", "live", "decline", "priority 7", "watched"),
            *("in_list('watched', nameDest) and score > 0.5", "fits"),
        ],
        [
            *("rule 1", "version 1", "shadow", "review", "priority 100", "large"),
            *("amount > 1000", "fits"),
        ],
    ]
    audited = rows("SELECT actor, via FROM audit_log WHERE action = 'rule.created'")
    assert audited == [{"actor": os_user(), "via": "sentinel rules apply"}] * 2


def test_only_what_differs_gets_another_version(
    run: Run, apply: Run, service_engine: Engine, tenant: Tenant, rows: Rows
) -> None:
    apply(LARGE, WATCHED)
    put_rule(service_engine, tenant.id, name="by hand")
    changed = apply(LARGE | {"condition": "amount > 2000", "state": "live"}, WATCHED)
    *lines, summary = changed.output.splitlines()
    assert lines == [
        "changed\trule 1 version 2\tlive\tlarge: condition, state",
        "unchanged\trule 2 version 1\tlive\twatched",
    ]
    assert summary.endswith(
        "0 created, 1 changed, 1 unchanged. 1 other rule is not in it and left alone."
    )
    changes = len(rows("SELECT FROM rule_changes"))
    same = apply(LARGE | {"condition": " 2e3 < amount "}, WATCHED)
    assert same.output.startswith("changed\trule 1 version 3\tlive\tlarge: condition\n")
    kept = apply(LARGE | {"condition": "(2000 < amount)"})
    assert kept.output.startswith("unchanged\trule 1 version 3\tlive\tlarge\n"), "as it was written"
    assert len(rows("SELECT FROM rule_changes")) == changes + 1
    shown = [line.split("\t") for line in run("show", 1).output.splitlines()]
    assert [line[1:3] + line[6:8] for line in shown] == [
        ["version 3", "live", "2000 < amount", os_user()],
        ["version 2", "live", "amount > 2000", os_user()],
        ["version 1", "shadow", "amount > 1000", os_user()],
    ]


def test_a_dry_run_prints_the_same_and_changes_nothing(apply: Run, rows: Rows) -> None:
    before = len(rows("SELECT FROM rule_changes"))
    tried = apply(LARGE, options=("--dry-run",))
    assert tried.exit_code == 0
    assert tried.output.startswith("created\trule 1 version 1\tshadow\tlarge\n")
    assert tried.output.endswith(
        "1 created, 0 changed, 0 unchanged; nothing was stored (--dry-run).\n"
    )
    assert rows("SELECT FROM rules") == []
    assert len(rows("SELECT FROM rule_changes")) == before
    assert rows("SELECT FROM audit_log WHERE action = 'rule.created'") == []


def test_every_condition_that_is_wrong_is_pointed_at_and_nothing_is_applied(
    apply: Run, rows: Rows, tmp_path: Path
) -> None:
    refused = apply(
        LARGE,
        LARGE | {"name": "typo", "condition": "amount > 10 and amuont > 5"},
        WATCHED | {"name": "gone", "condition": "in_list('gone', nameDest)"},
        LARGE | {"name": "number", "condition": "amount + 1"},
        LARGE | {"name": "open", "condition": "amount > ("},
    )
    assert refused.exit_code == 1
    lines = refused.output.splitlines()
    assert lines[0] == f"Error: {tmp_path}/rules.yaml is not valid; nothing was changed:"
    assert lines[1:4] == [
        "  rule 2 (typo): condition, column 17",
        "    amount > 10 and amuont > 5",
        "                    ^^^^^^",
    ]
    assert "amount" in lines[4]
    assert lines[5:8] == [
        "  rule 3 (gone): condition, column 9",
        "    in_list('gone', nameDest)",
        "            ^^^^^^",
    ]
    assert lines[9] == "  rule 4 (number): condition, column 1"
    assert lines[12].strip() == (
        "A rule's condition is true or false; this is a number. Compare it with something."
    )
    assert lines[13].startswith("  rule 5 (open): condition, column")
    assert rows("SELECT FROM rules") == []


def test_a_rule_that_the_limit_refuses_is_named_and_nothing_is_applied(
    apply: Run, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_rules, "MAX_RULES", 1)
    refused = apply(LARGE, LARGE | {"name": "second"})
    assert refused.exit_code == 1
    assert "  rule 2 (second): state must be off: 1 rules are live or in shadow" in refused.output
    assert rows("SELECT FROM rules") == []


def test_a_rule_that_is_turned_off_makes_room_for_one_before_it(
    apply: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_rules, "MAX_RULES", 1)
    apply(LARGE)
    swapped = apply(LARGE | {"name": "second"}, LARGE | {"state": "off"})
    assert swapped.output.splitlines()[:2] == [
        "created\trule 2 version 1\tshadow\tsecond",
        "changed\trule 1 version 2\toff\tlarge: state",
    ]


def test_a_rule_that_no_longer_fits_says_why_and_can_be_turned_off(
    run: Run, apply: Run, engine: Engine, tenant: Tenant
) -> None:
    apply(LARGE | {"state": "live"})
    with tenant_transaction(engine, tenant.id) as connection:
        apply_event_type(connection, tenant.id, an_event_type(), SERVICE)
    ((*_, condition, problem),) = listed(run)
    assert condition == "amount > 1000"
    assert "amount" in problem
    refused = apply(LARGE)
    assert refused.exit_code == 1
    assert "rule 1 (large): condition, column 1" in refused.output
    off = apply(LARGE | {"state": "off"})
    assert off.output.startswith(
        f"changed\trule 1 version 2\toff\tlarge: state; its condition stays as it was, for the "
        f"file's does not fit: {problem}\n"
    )
    assert apply(LARGE | {"name": "new", "state": "off"}).exit_code == 1


def test_a_rule_is_snoozed_and_woken(run: Run, apply: Run, rows: Rows) -> None:
    apply(LARGE)
    options = ("--entity", "account", "--value", "C1", "--reason", "a known customer")
    made = run("snooze", 1, *options, "--until", "2100-01-01")
    assert (made.exit_code, made.output) == (
        0,
        "Snooze 1: rule 1 does not act on account C1 until 2100-01-01 00:00:00+0000.\n",
    )
    assert run("show", 1).output.splitlines()[1:] == [
        "snooze 1\taccount C1\tuntil 2100-01-01 00:00:00+0000\ta known customer\t" + os_user()
    ]
    assert run("wake", 1, 1).output == "Snooze 1 of rule 1 has ended.\n"
    again = run("wake", 1, 1)
    assert (again.exit_code, again.output) == (
        1,
        "Error: Rule 1 has no snooze 1 that could be ended.\n",
    )
    vias = rows("SELECT via FROM audit_log WHERE action LIKE 'snooze.%' ORDER BY id")
    assert vias == [{"via": "sentinel rules snooze"}, {"via": "sentinel rules wake"}]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"--entity": "card"}, "entity must be an entity of your event type, of which there are"),
        ({"--value": ""}, "is missing"),
        ({"--value": "C1 "}, "must be 1 to 128 visible characters"),
        ({"--until": "2020-01-01"}, "'2020-01-01' is not later than now"),
        ({"--until": "tomorrow"}, "'tomorrow' is not an ISO 8601 time"),
        ({"--reason": "x" * 501}, "must be 1 to 500 characters"),
    ],
)
def test_a_snooze_that_is_not_valid_is_refused(
    run: Run, apply: Run, rows: Rows, changes: dict[str, str], sentence: str
) -> None:
    apply(LARGE)
    good = {"--entity": "account", "--value": "C1", "--until": "2100-01-01", "--reason": "x"}
    refused = run("snooze", 1, *(word for pair in (good | changes).items() for word in pair))
    assert refused.exit_code in {1, 2}
    assert sentence in refused.output
    assert rows("SELECT FROM rule_snoozes") == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["show", 9],
        ["snooze", 9, "--entity", "account", "--value", "C1", "--until", "2100-01-01",
         "--reason", "x"],
    ],
)  # fmt: skip
def test_an_unknown_rule_is_named(run: Run, arguments: list[object]) -> None:
    unknown = run(*arguments)
    assert (unknown.exit_code, unknown.output) == (1, "Error: There is no rule 9.\n")


@pytest.mark.parametrize("rule_id", ["0", "2147483648", "large"])
def test_a_rule_has_a_number(run: Run, rule_id: str) -> None:
    assert run("show", rule_id).exit_code == 2


def test_an_unknown_tenant_is_named(run: Run) -> None:
    assert "There is no tenant 'nobody'" in run("list", slug="nobody").output


def test_a_tenant_without_rules_has_an_empty_list(run: Run) -> None:
    assert run("list").output == ""


@pytest.fixture
def decided(service_engine: Engine, engine: Engine, tenant: Tenant) -> list[Decided]:
    """Four payments of 40 days ago by the model, of which the two largest were frauds."""
    then = datetime.now(UTC) - timedelta(days=40)
    made = [
        decision_at(a_decision(tenant.id, amount=1000.0 * number), then + timedelta(hours=number))
        for number in range(1, 5)
    ]
    assert DecisionLog(service_engine).write(made) == made
    for one in made[2:]:
        label(engine, tenant.id, one.transaction_id, "fraud", then, source="chargeback")
    return made


def test_a_rule_is_tried_on_stored_decisions(run: Run, decided: list[Decided]) -> None:
    done = run("backtest", "--condition", "amount>2500", "--action", "decline")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0] == "4 decisions, 2 with a label, 2 known frauds."
    assert lines[1] == "fires\t2\tof which 2 were reviewed and 0 declined already"
    assert lines[2].startswith("precision\t1.000 (1.000 to 1.000)")
    assert "frauds stopped more\t0 (0 to 0)" in lines
    example = f"example\t{decided[3].transaction_id}\t4,000.00\treview -> decline\tfraud"
    assert example in lines
    assert done.stderr.splitlines()[1:] == [
        "Reading the decisions.",
        "Deciding 4 payments again.",
        "Drawing the intervals.",
    ]


@pytest.mark.usefixtures("decided")
def test_rules_of_a_file_and_thresholds_are_tried(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    off = {"name": "off", "condition": "amount > 0", "action": "approve", "state": "off"}
    path.write_text(yaml.safe_dump({"rules": [LARGE, off]}))
    done = run("backtest", "--file", path)
    (tried,) = (line for line in done.output.splitlines() if line.startswith("tried"))
    assert tried.endswith("reviews 4, declines 0")
    done = run("backtest", "--threshold", "0.9")
    assert "frauds let pass\t2 (" in done.output
    path.write_text(yaml.safe_dump({"rules": [off]}))
    done = run("backtest", "--file", path)
    assert "Every rule of" in done.output


def test_a_list_is_tried_by_its_name_or_from_a_file(
    run: Run, decided: list[Decided], service_engine: Engine, tenant: Tenant, tmp_path: Path
) -> None:
    payment = decided[3].transaction
    assert isinstance(payment, Transaction)
    account = payment.name_orig
    path = tmp_path / "reported.csv"
    path.write_text(f"value;reason\n{account};police\n")
    done = run("backtest", "--list", path, "--entity", "account", "--action", "approve")
    assert done.exit_code == 0, done.output
    fires = [line for line in done.stdout.splitlines() if line.startswith("fires")]
    put_entries(service_engine, tenant.id, "watched", NewEntry(account, "police"))
    named = run("backtest", "--list", "watched", "--action", "approve")
    assert named.stdout == done.stdout
    assert int(fires[0].split("\t")[1]) >= 1
    none = run("backtest", "--list", "watched", "--action", "decline", "--field", "nameDest")
    assert "fires\t0\t" in none.stdout
    path.write_text("value\nC1\n\x07\n")
    refused = run("backtest", "--list", path, "--entity", "account", "--action", "approve")
    assert refused.exit_code == 1
    assert "reported.csv, line 3: value must be" in refused.output
    gone = run("backtest", "--list", "gone", "--action", "approve")
    assert "list.name" in gone.output
    assert "not the name of a list" in gone.output


def test_a_model_version_is_tried_by_its_number(
    run: Run, decided: list[Decided], engine: Engine, service_engine: Engine, tenant: Tenant
) -> None:
    record_challenger(
        engine, tenant.id, replace(own_model(), version=ModelVersion("fraud-demo", 2)), 0.0
    )
    refused = run("backtest", "--version", "2")
    assert refused.exit_code == 1
    assert "scored none of the 4 decisions" in refused.output
    assert "`challenger`" in refused.output
    ShadowLog(service_engine).write([a_shadow_score(one, score=1e-6) for one in decided[:3]])
    done = run("backtest", "--version", "2")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0].startswith("3 decisions")
    assert lines[1] == "Left out, because the version did not score them: 1 other decision."
    assert any(line.endswith("reviews 0, declines 0") for line in lines)
    assert "version" in run("backtest", "--version", "7").output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "exactly one of"),
        (["--list", "a"], "--list needs --action"),
        (["--list", "a", "--action", "review"], "--list needs --action"),
        (["--list", "a", "--action", "decline", "--entity", "account"], "has its own"),
        (["--list", "gone.csv", "--action", "decline"], "There is no file gone.csv"),
        (["--version", "1", "--entity", "account"], "need --list"),
        (["--version", "1", "--threshold", "0.5"], "exactly one of"),
        (["--condition", "amount > 1"], "belong together"),
        (["--action", "review", "--threshold", "0.5"], "belong together"),
        (["--threshold", "0.5", "--decline-from", "0.4"], "at least --threshold"),
        (["--condition", "amount > 1", "--action", "review", "--decline-from", "0.4"], "needs"),
        (["--threshold", "1.5"], "not in the range"),
    ],
)
def test_options_of_a_backtest_that_contradict_each_other_are_refused(
    run: Run, options: list[str], message: str
) -> None:
    done = run("backtest", *options)
    assert done.exit_code == 2
    assert message in done.output


def test_without_decisions_a_backtest_says_so(run: Run) -> None:
    done = run("backtest", "--threshold", "0.5")
    assert "--maturity-days 30" in done.output

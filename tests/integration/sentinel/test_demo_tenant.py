"""What the demo does to its tenant when the data change, in a real Postgres."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine

from persistence.event_types import current_event_type
from persistence.history.reader import EntitySpan, read_history
from persistence.tenants import Tenant
from sentinel.local.demo import own_payments, own_samples, state, tenant
from sentinel.local.demo.own_file import OwnFile, describe
from tests.support.data.event_files import write_csv
from tests.support.fixture_types import MakeTenant

ROWS = 1000
NOW = datetime(2026, 11, 27, 13, 42, tzinfo=UTC)


@pytest.fixture
def demo_tenant(make_tenant: MakeTenant) -> Tenant:
    return make_tenant(tenant.TENANT)


def payments(**changes: list[Any]) -> dict[str, list[Any]]:
    rng = np.random.default_rng(1)
    return {
        "when": [f"2026-01-{1 + i // 40:02d} {i % 24:02d}:{i % 60:02d}:00" for i in range(ROWS)],
        "card_id": [f"c{i}" for i in rng.integers(0, 90, ROWS)],
        "amount": np.round(rng.lognormal(3, 1, ROWS), 2).tolist(),
        "fraud": (rng.random(ROWS) < 0.2).astype(int).tolist(),
        **changes,
    }


def send(engine: Engine, home: Path, path: Path) -> None:
    described = describe(home, OwnFile(path, "fraud", None))
    tenant.send_own_events(engine, home, described)


def past(engine: Engine, demo_tenant: Tenant, cards: range) -> int:
    spans = [EntitySpan("card_id", f"c{i}", 0, 2**62) for i in cards]
    found = read_history(engine, demo_tenant.id, spans, with_frauds=False).entities
    return sum(one.events for one in found)


def test_the_events_of_a_file_are_the_past_of_its_entities_but_for_those_that_are_scored(
    engine: Engine, demo_tenant: Tenant, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    send(engine, tmp_path, write_csv(tmp_path / "first.csv", payments()))
    assert past(engine, demo_tenant, range(90)) == ROWS - 3
    assert len(own_samples.kept(tmp_path)) == 3
    output = capsys.readouterr().out
    assert "The event type first (version 1) is in force for the tenant demo." in output
    assert "997 events of first.csv, those of the 100 days before its last one" in output
    assert state.trained_on(tmp_path) == {"changing": True}, "until a version is promoted"


def test_the_last_events_of_a_file_are_decided_at_their_times_and_not_imported(
    engine: Engine, demo_tenant: Tenant, tmp_path: Path
) -> None:
    described = describe(
        tmp_path, OwnFile(write_csv(tmp_path / "first.csv", payments()), "fraud", None)
    )
    decided = tenant.send_own_events(engine, tmp_path, described, now=NOW)
    assert past(engine, demo_tenant, range(90)) == ROWS - 3 - len(decided)
    assert 100 < len(decided) <= own_payments.MOST
    assert NOW - timedelta(days=7, minutes=2) <= decided[0].at
    times = [datetime.fromisoformat(one.body["when"]) for one in decided]
    assert {at - one.at for at, one in zip(times, decided, strict=True)} == {
        times[-1] - decided[-1].at
    }, "as far apart as in the file"
    samples = [sample.transaction for sample in own_samples.kept(tmp_path)]
    assert not [one for one in decided if one.body in samples]


def test_events_without_a_time_are_spread_over_a_fortnight(
    engine: Engine, demo_tenant: Tenant, tmp_path: Path
) -> None:
    timeless = {name: cells for name, cells in payments().items() if name != "when"}
    described = describe(
        tmp_path, OwnFile(write_csv(tmp_path / "first.csv", timeless), "fraud", None)
    )
    decided = tenant.send_own_events(engine, tmp_path, described, now=NOW)
    assert decided[0].at == NOW - timedelta(days=14)
    assert len({one.at.date() for one in decided}) >= 14
    assert decided[-1].at < NOW
    assert past(engine, demo_tenant, range(90)) == 0


def test_another_file_replaces_event_type_and_past(
    engine: Engine, demo_tenant: Tenant, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    send(engine, tmp_path, write_csv(tmp_path / "first.csv", payments()))
    others = [f"c{90 + i % 80}" for i in range(ROWS)]
    send(engine, tmp_path, write_csv(tmp_path / "second.csv", payments(card_id=others)))
    assert "The event type second (version 2) replaces first (version 1)" in capsys.readouterr().out
    assert past(engine, demo_tenant, range(90)) == 0
    assert past(engine, demo_tenant, range(90, 170)) == ROWS - 3


def test_events_without_a_time_leave_no_past_of_the_file_before(
    engine: Engine, demo_tenant: Tenant, tmp_path: Path
) -> None:
    send(engine, tmp_path, write_csv(tmp_path / "first.csv", payments()))
    timeless = {name: cells for name, cells in payments().items() if name != "when"}
    send(engine, tmp_path, write_csv(tmp_path / "second.csv", timeless))
    assert past(engine, demo_tenant, range(90)) == 0


def test_paysims_transactions_replace_an_event_type_of_ones_own(
    engine: Engine, demo_tenant: Tenant, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tenant.send_paysim(engine, tmp_path)
    assert current_event_type(engine, demo_tenant.id) is None, "it sends them already"
    send(engine, tmp_path, write_csv(tmp_path / "first.csv", payments()))
    tenant.send_paysim(engine, tmp_path)
    assert "The event type paysim (version 2) replaces first (version 1)" in capsys.readouterr().out
    assert past(engine, demo_tenant, range(90)) == 0

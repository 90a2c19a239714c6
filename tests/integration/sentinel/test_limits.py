"""`sentinel tenants limits` against a real database."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine

from persistence.tenants import find_tenant
from scoring.tenant import TenantLimits
from sentinel.cli.main import main
from tests.support.fixture_types import MakeTenant, Rows


@pytest.fixture
def run(database: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("DATABASE_URL", database)
    return lambda *arguments: CliRunner().invoke(main, ("tenants", "limits", "demo", *arguments))


def test_limits_are_set_one_by_one_shown_audited_and_removed(
    run: Callable[..., Result], make_tenant: MakeTenant, engine: Engine, rows: Rows
) -> None:
    make_tenant()
    shown = "Tenant demo, payments a second and process: {}; each key: {}.\n"
    assert run().output == shown.format("no limit", "no limit")
    assert find_tenant(engine, "demo").limits is None
    assert run("--tenant", "500").output == shown.format(500, "no limit")
    assert run("--key", "50").output == shown.format(500, 50)
    assert find_tenant(engine, "demo").limits == TenantLimits(500, 50)
    assert run("--tenant", "0").output == shown.format("no limit", 50)
    assert run().output == shown.format("no limit", 50)
    audited = rows("SELECT after FROM audit_log WHERE object = 'tenants/demo' ORDER BY id")
    limits = [
        (row["after"]["payments_per_second"], row["after"]["key_payments_per_second"])
        for row in audited
    ]
    assert limits[-3:] == [(500, None), (500, 50), (None, 50)]
    for option in ("--tenant", "--key"):
        for number in ("-1", "3000000000"):
            refused = run(option, number)
            assert refused.exit_code == 2
            assert f"{number} is not in the range 0<=x<=2147483647" in refused.output

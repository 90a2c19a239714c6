"""Sign-ins that fail alike, accounts that are disabled meanwhile, and the last administrator."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

import pytest
from sqlalchemy import Engine, event

from persistence.actor import Actor
from persistence.people import links, sessions, users
from persistence.people.sessions import MAX_FAILURES, SignInRefused, sign_in, sign_in_as
from scoring.errors import InvalidRequest
from tests.support.data.people import PASSWORD, put_person
from tests.support.fixture_types import MakeTenant

Value = TypeVar("Value")

SETUP = Actor("setup")
FAILURES = ("no tenant", "no account", "no password", "wrong password", "disabled", "locked")


@pytest.fixture
def fail(engine: Engine, make_tenant: MakeTenant) -> Callable[[str], None]:
    """A function that tries a sign-in of one of FAILURES."""
    tenant = make_tenant("demo")
    for name in ("Ana", "Dora", "Lea"):
        put_person(engine, tenant, name)
    users.create_user(
        engine, tenant.id, email="ned@demo.example", name="Ned", role="analyst", actor=SETUP
    )
    users.disable_user(engine, tenant.id, "dora@demo.example", actor=SETUP)
    tries = {
        "no tenant": ("nowhere", "ana@demo.example", PASSWORD),
        "no account": ("demo", "nobody@demo.example", PASSWORD),
        "no password": ("demo", "ned@demo.example", PASSWORD),
        "wrong password": ("demo", "ana@demo.example", "not the password"),
        "disabled": ("demo", "dora@demo.example", PASSWORD),
        "locked": ("demo", "lea@demo.example", PASSWORD),
    }

    def fail(why: str) -> None:
        with pytest.raises(SignInRefused):
            sign_in(engine, *tries[why])

    for _ in range(MAX_FAILURES):
        with pytest.raises(SignInRefused):
            sign_in(engine, "demo", "lea@demo.example", "not the password")
    return fail


def test_each_failed_sign_in_runs_the_same_statements(
    engine: Engine, fail: Callable[[str], None]
) -> None:
    statements: list[str] = []
    event.listen(
        engine,
        "before_cursor_execute",
        lambda *given: statements.append(" ".join(given[2].split())),
    )
    ran = []
    for why in FAILURES:
        statements.clear()
        fail(why)
        ran.append(list(statements))
    assert len(ran[0]) > 3
    assert all(one == ran[0] for one in ran)


def test_failures_during_a_lock_do_not_prolong_it(engine: Engine, make_tenant: MakeTenant) -> None:
    tenant = make_tenant("demo")
    put_person(engine, tenant)
    for _ in range(MAX_FAILURES):
        with pytest.raises(SignInRefused):
            sign_in(engine, "demo", "ana@demo.example", "not the password")
    locked = users.find_user(engine, tenant.id, "ana@demo.example").locked_until
    assert locked is not None
    with pytest.raises(SignInRefused):
        sign_in(engine, "demo", "ana@demo.example", "not the password")
    assert users.find_user(engine, tenant.id, "ana@demo.example").locked_until == locked


def test_an_account_that_is_disabled_after_its_link_was_read_gets_no_session(
    engine: Engine, make_tenant: MakeTenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = make_tenant("demo")
    ana = put_person(engine, tenant)
    token = links.create_link(engine, ana, "sign_in", actor=SETUP)

    read = links.read_link
    monkeypatch.setattr(
        links,
        "read_link",
        lambda *given: _after(
            read(*given), lambda: users.disable_user(engine, tenant.id, ana.email, actor=SETUP)
        ),
    )
    with pytest.raises(links.LinkGone):
        links.use_link(engine, token)
    users.enable_user(engine, tenant.id, ana.email, actor=SETUP)
    monkeypatch.undo()
    assert links.use_link(engine, token), "the refused use left the link as it was"


@pytest.mark.parametrize("way", ["password", "provider"])
def test_an_account_that_is_disabled_while_it_signs_in_gets_no_session(
    engine: Engine, make_tenant: MakeTenant, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    tenant = make_tenant("demo")
    ana = put_person(engine, tenant)
    find = sessions._find
    monkeypatch.setattr(
        sessions,
        "_find",
        lambda *given: _after(
            find(*given), lambda: users.disable_user(engine, tenant.id, ana.email, actor=SETUP)
        ),
    )
    attempt = {
        "password": lambda: sign_in(engine, "demo", ana.email, PASSWORD),
        "provider": lambda: sign_in_as(engine, "demo", ana.email),
    }[way]
    with pytest.raises(SignInRefused):
        attempt()


def _after(value: Value, act: Callable[[], object]) -> Value:
    act()
    return value


@pytest.mark.parametrize("way", ["disable", "demote", "one of each"])
def test_of_two_administrators_who_remove_each_other_at_once_one_stays(
    engine: Engine, make_tenant: MakeTenant, way: str
) -> None:
    tenant = make_tenant("demo")
    chris, olga = (put_person(engine, tenant, name, "admin") for name in ("Chris", "Olga"))
    barrier = Barrier(2, timeout=30)

    def disable(email: str) -> bool:
        return _removed(barrier, lambda: users.disable_user(engine, tenant.id, email, actor=SETUP))

    def demote(email: str) -> bool:
        return _removed(
            barrier, lambda: users.change_role(engine, tenant.id, email, "analyst", actor=SETUP)
        )

    first, second = {
        "disable": (disable, disable),
        "demote": (demote, demote),
        "one of each": (disable, demote),
    }[way]
    with ThreadPoolExecutor(2) as pool:
        for _ in range(5):
            removed = (pool.submit(first, olga.email), pool.submit(second, chris.email))
            assert sorted(one.result() for one in removed) == [False, True]
            for one in (chris, olga):
                users.enable_user(engine, tenant.id, one.email, actor=SETUP)
                users.change_role(engine, tenant.id, one.email, "admin", actor=SETUP)


def _removed(barrier: Barrier, remove: Callable[[], object]) -> bool:
    barrier.wait()
    try:
        remove()
    except InvalidRequest as refused:
        return "last administrator" not in refused.detail
    return True

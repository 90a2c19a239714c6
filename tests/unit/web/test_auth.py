"""Authentication: API keys, scopes, and results cached for seconds."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import anyio
import pytest

from persistence.api_keys import Principal
from scoring.errors import Forbidden, StoreUnavailable, Unauthenticated
from web.auth import KEEP_S, REFRESH_AFTER_S, Authenticator

KEY = "sk_abcdefghij_" + "A" * 32 + "00000000"


@pytest.fixture(autouse=True)
def _well_formed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any text is a well-formed key here; the form has tests of its own."""
    monkeypatch.setattr("web.auth.key_prefix", lambda key: key[:2] == "sk" or None)


def a_principal(*scopes: str, expires_at: datetime | None = None) -> Principal:
    return Principal(1, "demo", "fraud-demo", "abcdefghij", "core", frozenset(scopes), expires_at)


class Keys:
    """The database's answers, counted."""

    def __init__(self, answer: Principal | None) -> None:
        self.answer = answer
        self.asked = 0

    def verify(self, _key: str) -> Principal | None:
        self.asked += 1
        return self.answer


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def require(authenticator: Authenticator, header: str | None, *scopes: str) -> Principal:
    async def ask() -> Principal:
        return await authenticator.require(header, *scopes)

    return anyio.run(ask)


def test_without_postgres_a_known_key_is_valid_for_a_while_and_an_unknown_one_is_503() -> None:
    keys, clock = Keys(a_principal("score")), Clock()
    is_away = False

    def verify(key: str) -> Principal | None:
        if is_away:
            raise StoreUnavailable("away")
        return keys.verify(key)

    authenticator = Authenticator(verify, clock, keep_away_s=60.0)
    known, unknown = f"Bearer {KEY}", f"Bearer {KEY}1"
    assert require(authenticator, known, "score") == keys.answer
    is_away = True
    clock.now_s = 59.0
    assert require(authenticator, known, "score") == keys.answer
    with pytest.raises(StoreUnavailable):
        require(authenticator, unknown, "score")
    with pytest.raises(Forbidden):
        require(authenticator, known, "admin")
    clock.now_s = 60.0
    with pytest.raises(StoreUnavailable):
        require(authenticator, known, "score")


def test_a_key_that_was_revoked_before_postgres_went_away_is_not_known_then() -> None:
    keys, clock = Keys(a_principal("score")), Clock()

    def verify(key: str) -> Principal | None:
        if clock.now_s > 20.0:
            raise StoreUnavailable("away")
        return keys.verify(key)

    authenticator = Authenticator(verify, clock, keep_away_s=60.0)
    require(authenticator, f"Bearer {KEY}", "score")
    keys.answer, clock.now_s = None, 10.0
    with pytest.raises(Unauthenticated):
        require(authenticator, f"Bearer {KEY}", "score")
    clock.now_s = 21.0
    with pytest.raises(StoreUnavailable):
        require(authenticator, f"Bearer {KEY}", "score")


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic abc", KEY, "Bearer x"])
def test_without_a_bearer_key_the_database_is_not_queried(header: str | None) -> None:
    keys = Keys(a_principal("score"))
    with pytest.raises(Unauthenticated):
        require(Authenticator(keys.verify), header, "score")
    assert keys.asked == 0


def test_a_key_without_the_scope_is_forbidden() -> None:
    with pytest.raises(Forbidden, match="score"):
        require(Authenticator(Keys(a_principal("review")).verify), f"Bearer {KEY}", "score")


def test_one_of_several_scopes_is_enough() -> None:
    keys = Keys(a_principal("review"))
    error = require(Authenticator(keys.verify), f"bearer {KEY}", "score", "review")
    assert error == keys.answer


def test_an_expired_key_is_refused_while_it_is_cached() -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    with pytest.raises(Unauthenticated):
        require(
            Authenticator(Keys(a_principal("score", expires_at=past)).verify),
            f"Bearer {KEY}",
            "score",
        )


def test_a_revoked_key_is_refused_when_the_cached_result_expires() -> None:
    clock, keys = Clock(), Keys(a_principal("score"))
    authenticator = Authenticator(keys.verify, clock)
    for _ in range(3):
        require(authenticator, f"Bearer {KEY}", "score")
    assert keys.asked == 1
    keys.answer = None
    clock.now_s = KEEP_S + 0.1
    with pytest.raises(Unauthenticated):
        require(authenticator, f"Bearer {KEY}", "score")
    with pytest.raises(Unauthenticated):
        require(authenticator, f"Bearer {KEY}", "score")
    assert keys.asked == 2


def test_concurrent_callers_query_the_database_once() -> None:
    keys = Keys(a_principal("score"))
    authenticator = Authenticator(keys.verify)

    async def crowd() -> list[Principal]:
        asking = [authenticator.require(f"Bearer {KEY}", "score") for _ in range(64)]
        return await asyncio.gather(*asking)

    assert anyio.run(crowd) == [keys.answer] * 64
    assert keys.asked == 1


def test_a_cached_result_is_refreshed_before_it_expires() -> None:
    clock, keys = Clock(), Keys(a_principal("score"))
    authenticator = Authenticator(keys.verify, clock)

    async def scenario() -> list[int]:
        asked = []
        for now_s in (0.0, REFRESH_AFTER_S + 0.1):
            clock.now_s = now_s
            await authenticator.require(f"Bearer {KEY}", "score")
            asked.append(keys.asked)
        await anyio.sleep(0.2)
        return [*asked, keys.asked]

    # The second caller was answered before the refresh it began had asked.
    assert anyio.run(scenario) == [1, 1, 2]


def test_a_failed_refresh_keeps_the_cached_result_until_it_expires() -> None:
    clock, keys = Clock(), Keys(a_principal("score"))
    authenticator = Authenticator(lambda key: fail_or(keys, key), clock)

    async def scenario() -> None:
        await authenticator.require(f"Bearer {KEY}", "score")
        keys.answer = None
        clock.now_s = REFRESH_AFTER_S + 0.1
        await authenticator.require(f"Bearer {KEY}", "score")
        await anyio.sleep(0.2)
        clock.now_s = KEEP_S + 0.1
        with pytest.raises(StoreUnavailable):
            await authenticator.require(f"Bearer {KEY}", "score")

    anyio.run(scenario)


def fail_or(keys: Keys, key: str) -> Principal | None:
    if keys.answer is None:
        raise StoreUnavailable("away")
    return keys.verify(key)

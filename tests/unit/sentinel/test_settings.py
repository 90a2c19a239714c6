"""The secrets of the API keys' hashes: the first makes new ones, the second is valid beside it."""

from __future__ import annotations

import pytest

from sentinel.settings import Settings, SettingsError


@pytest.mark.parametrize(
    ("second", "secrets"), [(None, (b"a",)), ("", (b"a",)), ("b", (b"a", b"b"))]
)
def test_a_second_secret_comes_after_the_first(
    monkeypatch: pytest.MonkeyPatch, second: str | None, secrets: tuple[bytes, ...]
) -> None:
    monkeypatch.setenv("SENTINEL_KEY_SECRET", "a")
    monkeypatch.delenv("SENTINEL_SECOND_KEY_SECRET", raising=False)
    if second is not None:
        monkeypatch.setenv("SENTINEL_SECOND_KEY_SECRET", second)
    assert Settings().resolve_key_secrets() == secrets


def test_a_second_secret_does_not_stand_in_for_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://host/db")
    monkeypatch.setenv("SENTINEL_SECOND_KEY_SECRET", "b")
    monkeypatch.delenv("SENTINEL_KEY_SECRET", raising=False)
    with pytest.raises(SettingsError, match="SENTINEL_KEY_SECRET is not set"):
        Settings().resolve_key_secrets()

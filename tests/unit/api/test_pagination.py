"""A cursor is valid for one query of one tenant, and only when this service signed it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.pagination import MAX_CURSOR_LENGTH, Cursors
from scoring.errors import InvalidRequest

CURSORS = Cursors(b"secret")
positions = st.lists(
    st.one_of(
        st.floats(0, 1), st.integers(0, 2**53), st.uuids().map(str), st.text(max_size=20), st.none()
    ),
    max_size=3,
)
queries = st.lists(st.one_of(st.integers(0, 9), st.text(max_size=9), st.none()), max_size=4)


def refuses(cursor: str, *query: object) -> bool:
    with pytest.raises(InvalidRequest) as refused:
        CURSORS.open(cursor, *query)
    return [error.field for error in refused.value.errors] == ["cursor"]


@given(positions, queries)
def test_a_cursor_opens_to_the_position_to_the_last_bit(
    position: list[Any], query: list[object]
) -> None:
    assert CURSORS.open(CURSORS.seal(position, *query), *query) == position


def test_while_a_secret_is_rotated_cursors_of_both_are_valid() -> None:
    old, new = Cursors(b"secret"), Cursors(b"another", b"secret")
    position, query = ["x"], (1, "queue")
    assert new.open(old.seal(position, *query), *query) == position
    assert new.open(new.seal(position, *query), *query) == position
    with pytest.raises(InvalidRequest):
        old.open(new.seal(position, *query), *query)


@given(positions, queries, queries)
def test_a_cursor_of_another_tenant_or_query_is_refused(
    position: list[Any], query: list[object], other: list[object]
) -> None:
    if query != other:
        assert refuses(CURSORS.seal(position, *query), *other)


@given(st.text(max_size=120))
def test_an_unsigned_cursor_is_refused(cursor: str) -> None:
    assert refuses(cursor, 1, "queue")


@given(st.data())
def test_a_cursor_with_any_character_changed_added_or_removed_is_refused(data: Any) -> None:
    cursor = CURSORS.seal([0.25, "01a20954-307f-76ad-bbfb-c426daea33c6"], 1, "queue")
    place = data.draw(st.integers(0, len(cursor) - 1))
    with_ = data.draw(st.text("AZaz09-_=+/ \né", max_size=2))
    forged = cursor[:place] + with_ + cursor[place + data.draw(st.integers(0, 1)) :]
    if forged != cursor:
        assert refuses(forged, 1, "queue")


def test_a_cursor_of_another_secret_is_refused() -> None:
    assert refuses(Cursors(b"other").seal([1], 1), 1)


def test_a_cursor_is_no_longer_than_its_limit() -> None:
    cursor = CURSORS.seal([0.12345678901234567, "01a20954-307f-76ad-bbfb-c426daea33c6"], 1)
    assert len(cursor) <= MAX_CURSOR_LENGTH

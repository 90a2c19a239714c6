"""The index of lists finds what a dictionary of values would."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.lists.entity_list import ListEntry
from scoring.lists.index import DIGEST_BYTES, NEVER_MS, ListIndex, Match, digest_of

VALUES = [f"C{number}" for number in range(6)]
pairs = st.sampled_from(list(itertools.product((1, 2, 3), VALUES)))


def an_entry(number: int, list_id: int, value: str, expires_ms: int | None = None) -> ListEntry:
    return ListEntry(number, list_id, value, "a reason", "ana", expires_ms)


def found(index: ListIndex, values: list[str]) -> dict[tuple[int, str], tuple[int, int]]:
    """Return entry and expiry by list and value."""
    return {
        (match.list_id, value): (match.entry_id, match.expires_ms)
        for value in values
        for match in index.find(value)
    }


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.lists(pairs, max_size=4), st.lists(pairs, max_size=3)), max_size=5))
def test_changes_leave_what_they_leave_of_a_dictionary(
    changes: list[tuple[list[tuple[int, str]], list[tuple[int, str]]]],
) -> None:
    index, expected, number = ListIndex(), {}, 0
    for added, removed in changes:
        before = (index, dict(expected))
        entries = []
        for pair in removed:
            expected.pop(pair, None)
        for pair in added:
            number += 1
            entries.append(an_entry(number, *pair, expires_ms=number if number % 2 else None))
            expected[pair] = (number, number if number % 2 else NEVER_MS)
        index = index.with_changes(entries, removed)
        assert found(index, VALUES) == expected
        assert len(index) == len(expected)
        assert found(before[0], VALUES) == before[1]


def test_records_are_found_as_entries_are() -> None:
    values = [f"entity {number}" for number in range(20_000)]
    numbers = np.arange(len(values))
    index = ListIndex()
    for start in range(0, len(values), 7_000):
        block = slice(start, start + 7_000)
        index = index.with_records(
            b"".join(map(digest_of, values[block])),
            numbers[block] % 3,
            numbers[block],
            numbers[block] + 7,
        )
    assert len(index) == len(values)
    assert found(index, values) == {
        (number % 3, value): (number, number + 7) for number, value in enumerate(values)
    }
    assert index.find("another entity") == []


def test_a_value_in_two_lists_has_an_entry_of_each() -> None:
    index = ListIndex().with_changes([an_entry(1, 10, "C1"), an_entry(2, 20, "C1", 5)])
    assert sorted(index.find("C1")) == [Match(10, 1, NEVER_MS), Match(20, 2, 5)]


def test_a_digest_that_stands_across_two_records_is_no_entry() -> None:
    index = ListIndex().with_changes([an_entry(1, 10, "C1")])
    (record,) = [bucket for inner in index._buckets for bucket in inner if bucket]
    digest = digest_of("C1")
    across = b"\0" * 10 + digest + record[DIGEST_BYTES + 10 :]
    broken = tuple(
        tuple(across + record if bucket else b"" for bucket in inner) for inner in index._buckets
    )
    assert ListIndex(broken, 2).find("C1") == [Match(10, 1, NEVER_MS)]


def test_a_column_has_the_expiry_of_each_value_and_lists_that_have_none_are_left_out() -> None:
    index = ListIndex().with_changes(
        [an_entry(1, 10, "C1"), an_entry(2, 10, "C2", 5), an_entry(3, 20, "C9")]
    )
    memberships = index.memberships(("C2", "C3", "C1"))
    assert list(memberships) == [10]
    np.testing.assert_array_equal(memberships[10].until_ms, [5.0, -math.inf, math.inf, math.nan])
    assert memberships[10].entry_ids.tolist() == [2, 0, 1, 0]


@pytest.mark.parametrize("value", ["é", "😀", "a" * 128])
def test_entities_of_any_characters_are_found(value: str) -> None:
    index = ListIndex().with_changes([an_entry(1, 1, value)])
    assert [match.entry_id for match in index.find(value)] == [1]

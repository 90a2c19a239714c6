"""A request keeps its caller's safe request id, or gets a new one."""

from __future__ import annotations

import re

import pytest

from observability.request_id import request_id


@pytest.mark.parametrize("given", ["a", "7f3c-ab.c:1/2+3@x_y", "x" * 128])
def test_a_usable_id_of_the_caller_is_kept(given: str) -> None:
    assert request_id([(b"accept", b"*/*"), (b"x-request-id", given.encode())]) == given


@pytest.mark.parametrize(
    "given", [b"", b"x" * 129, b"a b", b"a\nb", b'a"b', b"=1+2", b"caf\xc3\xa9", b"a\x00", b"a\n"]
)
def test_an_unsafe_request_id_is_replaced(given: bytes) -> None:
    assert re.fullmatch("[0-9a-f]{32}", request_id([(b"x-request-id", given)]))


def test_without_a_request_id_each_request_gets_a_new_one() -> None:
    assert len({request_id([]) for _ in range(1000)}) == 1000

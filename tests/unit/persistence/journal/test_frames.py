"""The format of a segment: what is whole is read, what is damaged is found."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persistence.journal.frames import (
    HEADER_BYTES,
    Damage,
    Frame,
    Kind,
    UnreadableSegment,
    check_header,
    encode,
    header,
    scan,
)

payloads = st.lists(st.text(max_size=40).map(str.encode), min_size=1, max_size=6)


def a_segment(payloads: list[bytes]) -> bytes:
    frames = (encode(i, Kind.DECISION, payload) for i, payload in enumerate(payloads, 1))
    return header() + b"".join(frames)


@given(payloads)
def test_what_was_written_is_read(written: list[bytes]) -> None:
    found = list(scan(a_segment(written)))
    assert [(f.number, f.payload) for f in found if isinstance(f, Frame)] == list(
        enumerate(written, 1)
    )
    assert len(found) == len(written)


@given(payloads, st.data())
def test_a_torn_end_is_found_and_every_record_before_it_is_read(
    written: list[bytes], data: st.DataObject
) -> None:
    segment = a_segment(written)
    cut = data.draw(st.integers(HEADER_BYTES, len(segment)))
    frames = [one for one in scan(segment) if isinstance(one, Frame)]
    whole = [frame for frame in frames if frame.end <= cut]
    found = list(scan(segment[:cut]))
    assert found[: len(whole)] == whole
    end = whole[-1].end if whole else HEADER_BYTES
    assert found[len(whole) :] == ([Damage(end, cut, is_tail=True)] if cut > end else [])


@given(payloads, st.data())
def test_a_changed_byte_loses_one_record_and_names_it(
    written: list[bytes], data: st.DataObject
) -> None:
    segment = bytearray(a_segment(written))
    at = data.draw(st.integers(HEADER_BYTES, len(segment) - 1))
    frames = [one for one in scan(bytes(segment)) if isinstance(one, Frame)]
    (hit,) = [frame for frame in frames if frame.start <= at < frame.end]
    segment[at] ^= data.draw(st.integers(1, 255))
    found = list(scan(bytes(segment)))
    assert [one for one in found if isinstance(one, Frame)] == [f for f in frames if f != hit]
    (damage,) = [one for one in found if isinstance(one, Damage)]
    assert (damage.start, damage.is_tail) == (hit.start, hit == frames[-1])


def test_a_segment_of_a_later_version_is_not_guessed_at() -> None:
    with pytest.raises(UnreadableSegment, match="not complete"):
        check_header(header()[:5])
    damaged = bytearray(header())
    damaged[3] ^= 1
    with pytest.raises(UnreadableSegment, match="damaged"):
        check_header(bytes(damaged))

"""The journal: what was acknowledged is there after a restart, whatever happened to the file."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from math import inf, nan
from pathlib import Path
from struct import pack

import pytest

from persistence.decisions.rows import Decided, body_digest
from persistence.journal import files
from persistence.journal.errors import JournalFull, JournalUnwritable
from persistence.journal.journal import Journal
from persistence.journal.records import Encoder, Key, keys_of
from tests.support.factories import a_decision, a_prediction

NOW = datetime(2026, 3, 1, 12, 0, 0, 123_456, tzinfo=UTC)
MAX_BYTES = 1 << 20


def add(journal: Journal, *decisions: Decided) -> None:
    """Journal decisions, each as a record."""
    for decided in decisions:
        assert journal.claim(keys_of([decided]).items()) == {}
    encoder = Encoder()
    journal.append([encoder.decision(decided, NOW) for decided in decisions])


def held(journal: Journal) -> list[Decided]:
    """All decisions that a journal holds, in order."""
    return [d for at in journal.oldest(10_000) for d in journal.read(at).decisions]


def bits(decided: Decided) -> list[bytes]:
    prediction = decided.prediction
    numbers = [*prediction.features, *prediction.contributions, prediction.score]
    return [pack("d", number) for number in [*numbers, decided.latency_ms]]


def test_a_decision_is_read_back_to_the_bit_after_a_restart(tmp_path: Path) -> None:
    prediction = a_prediction(features=[nan, inf, -0.0, 5e-324, *[1 / 3] * 7])
    decided = a_decision(1, external_id="order-1")._replace(prediction=prediction)
    journal = Journal(tmp_path, MAX_BYTES)
    add(journal, decided)
    journal.close()
    (read,) = held(Journal(tmp_path, MAX_BYTES))
    assert bits(read) == bits(decided)
    kept = decided._replace(decided_at=NOW, is_journalled=True, prediction=read.prediction)
    assert read == kept
    assert read.prediction.described.names == prediction.described.names


def test_its_keys_are_known_after_a_restart_and_free_once_it_is_removed(tmp_path: Path) -> None:
    decided = a_decision(1, external_id="order-1")
    add(Journal(tmp_path, MAX_BYTES), decided)
    # The first journal is not closed, as by a process that was killed.
    key = Key(1, "order-1")
    copy = tmp_path / "copy"
    shutil.copytree(tmp_path / "0", copy / "0")
    journal = Journal(copy, MAX_BYTES)
    claim = journal.find(key)
    assert claim is not None
    assert claim.digest == body_digest(decided.transaction)
    assert journal.claim([(key, b"other")]) == {key: claim}
    assert journal.waiting == 1
    journal.remove(1)
    assert (journal.find(key), journal.waiting, journal.size) == (None, 0, 0)
    assert files.segments(copy / "0") == []


def test_a_torn_tail_is_cut_off_and_kept_aside(tmp_path: Path) -> None:
    journal = Journal(tmp_path, MAX_BYTES)
    add(journal, a_decision(1), a_decision(1))
    journal.close()
    (segment,) = files.segments(tmp_path / "0")
    content = segment.read_bytes()
    segment.write_bytes(content[:-20])
    again = Journal(tmp_path, MAX_BYTES)
    assert again.waiting == 1
    assert [damage.is_tail for damage in again.damaged] == [True]
    assert segment.read_bytes() == content[: again.damaged[0].start]
    (torn,) = (tmp_path / "0" / files.QUARANTINE).iterdir()
    assert torn.read_bytes() == content[again.damaged[0].start : -20]
    assert again.quarantined == 0


def test_a_damaged_record_is_set_aside_and_the_others_are_kept(tmp_path: Path) -> None:
    journal = Journal(tmp_path, MAX_BYTES)
    decisions = [a_decision(1) for _ in range(3)]
    add(journal, *decisions)
    at = journal.oldest(3)[1]
    journal.close()
    content = bytearray(at.path.read_bytes())
    content[at.end - 1] ^= 1
    at.path.write_bytes(content)
    again = Journal(tmp_path, MAX_BYTES)
    ids = [decided.prediction_id for decided in held(again)]
    assert ids == [decisions[0].prediction_id, decisions[2].prediction_id]
    assert [(damage.start, damage.is_tail) for damage in again.damaged] == [(at.start, False)]
    assert again.quarantined == 1


def test_a_full_journal_refuses_with_a_sentence_of_its_own_and_takes_nothing(
    tmp_path: Path,
) -> None:
    journal = Journal(tmp_path, 6_000, segment_bytes=64_000)
    kept = 0
    while journal.has_room:
        add(journal, a_decision(1, external_id=f"order-{kept}"))
        kept += 1
    assert kept == journal.waiting > 0
    with pytest.raises(JournalFull, match="journal is full"):
        add(journal, *(a_decision(1, external_id=f"order-{kept + i}") for i in range(5)))
    assert journal.size <= 6_000
    assert journal.find(Key(1, f"order-{kept}")) is None
    journal.remove(kept)
    add(journal, a_decision(1, external_id="order-100"))


def test_each_process_has_a_folder_of_its_own_and_the_next_one_takes_what_was_left(
    tmp_path: Path,
) -> None:
    one, other = Journal(tmp_path, MAX_BYTES), Journal(tmp_path, MAX_BYTES)
    add(one, a_decision(1))
    add(other, a_decision(2))
    assert (one.waiting, other.waiting) == (1, 1)
    one.close()
    other.close()
    both = Journal(tmp_path, MAX_BYTES)
    assert both.waiting == 2
    for path in (tmp_path / "0", tmp_path / "1"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
        assert all(stat.S_IMODE(s.stat().st_mode) == 0o600 for s in files.segments(path))


def test_records_of_many_threads_are_all_there_and_in_segments_of_bounded_size(
    tmp_path: Path,
) -> None:
    journal = Journal(tmp_path, MAX_BYTES, segment_bytes=20_000)
    decisions = [a_decision(i % 3, external_id=f"order-{i}") for i in range(120)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda decided: add(journal, decided), decisions))
    assert len(files.segments(tmp_path / "0")) > 3
    journal.close()
    again = Journal(tmp_path, MAX_BYTES)
    assert {d.prediction_id for d in held(again)} == {d.prediction_id for d in decisions}
    again.remove(120)
    assert again.size == 0


def test_what_is_appended_while_a_segment_empties_is_kept(tmp_path: Path) -> None:
    journal = Journal(tmp_path, MAX_BYTES, segment_bytes=5_000)
    total = 150

    def write() -> None:
        for i in range(total):
            add(journal, a_decision(1, external_id=f"order-{i}"))

    drained: list[str] = []
    with ThreadPoolExecutor(1) as thread:
        writing = thread.submit(write)
        while not writing.done() or journal.waiting:
            part = journal.oldest(3)
            for at in part:
                drained += [str(d.transaction.external_id) for d in journal.read(at).decisions]
            journal.remove(len(part))
        writing.result()
    assert drained == [f"order-{i}" for i in range(total)]
    assert (journal.size, files.segments(tmp_path / "0")) == (0, [])


@pytest.mark.parametrize("fails_in", ["write", "sync"])
def test_what_a_full_disk_did_not_take_is_refused_and_never_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_in: str
) -> None:
    journal = Journal(tmp_path, MAX_BYTES)
    first, lost, second = (a_decision(1, external_id=f"order-{i}") for i in range(3))
    add(journal, first)

    def write_half(descriptor: int, content: bytes) -> None:
        os.write(descriptor, content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    def no_sync(_descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        if fails_in == "write":
            patched.setattr("persistence.journal.files.write_all", write_half)
        else:
            patched.setattr("os.fdatasync", no_sync)
        with pytest.raises(JournalUnwritable, match="cannot be written"):
            add(journal, lost)
    assert journal.find(Key(1, "order-1")) is None
    add(journal, second)
    journal.close()
    again = Journal(tmp_path, MAX_BYTES)
    assert again.damaged == []
    assert [d.prediction_id for d in held(again)] == [first.prediction_id, second.prediction_id]

"""Heads are C2SP checkpoints, and keys those of Go's signed notes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from persistence.sealing.errors import SealError
from persistence.sealing.notes import Head, Signer, Verifier

# The example of https://pkg.go.dev/golang.org/x/mod/sumdb/note.
KEY_OF_THE_EXAMPLE = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
NOTE_OF_THE_EXAMPLE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdn"
    "gotpRZb6KE6RyyBwJnAM=\n"
)
HEAD = Head("bank.example/demo", 7, bytes(range(32)), datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer.generate("bank.example")[0]


def test_a_note_of_another_program_is_verified_and_is_no_head() -> None:
    with pytest.raises(SealError, match="does not have the lines of a head"):
        Verifier(KEY_OF_THE_EXAMPLE).open(NOTE_OF_THE_EXAMPLE)
    with pytest.raises(SealError, match="signature is not valid"):
        Verifier(KEY_OF_THE_EXAMPLE).open(NOTE_OF_THE_EXAMPLE.replace("think", "thought"))


def test_a_signed_head_is_read_again_and_has_the_lines_of_a_checkpoint(signer: Signer) -> None:
    note = signer.sign(HEAD)
    assert note.split("\n")[:5] == [
        "bank.example/demo",
        "7",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "time 2026-01-02T03:04:05Z",
        "",
    ]
    assert Verifier(signer.verifier).open(note) == HEAD


def test_a_head_states_up_to_when_all_rows_are_sealed(signer: Signer) -> None:
    stated = replace(HEAD, complete_at=datetime(2026, 1, 2, 2, 0, tzinfo=UTC))
    note = signer.sign(stated)
    assert note.split("\n")[4:6] == ["complete 2026-01-02T02:00:00Z", ""]
    assert Verifier(signer.verifier).open(note) == stated


def test_a_head_that_was_changed_anywhere_is_refused(signer: Signer) -> None:
    note = signer.sign(HEAD)
    verifier = Verifier(signer.verifier)
    for place in range(len(note) - 1):
        changed = note[:place] + ("x" if note[place] != "x" else "y") + note[place + 1 :]
        try:
            assert verifier.open(changed) == HEAD
        except SealError:
            continue
        # Only base64's unused bits, of which the bytes have nothing, can be changed unseen.
        assert note[place + 1] == "="


def test_a_key_is_kept_and_read_again_and_anything_else_is_refused(signer: Signer) -> None:
    made, kept = Signer.generate("bank.example")
    assert Signer.parse(kept).verifier == made.verifier != signer.verifier
    for text in ("", "PRIVATE+KEY+bank", kept[:-9], made.verifier):
        with pytest.raises(SealError, match="no Ed25519 key"):
            Signer.parse(text)
    for text in ("", "bank.example", made.verifier[:-4], made.verifier.replace("bank", "bench")):
        with pytest.raises(SealError, match="not the public key"):
            Verifier(text)

"""The circuit: what opens it, and when a wait ends."""

from __future__ import annotations

from persistence.circuit import SUSPECT_AFTER_S, Circuit
from scoring.errors import StoreBusy, StoreUnavailable


class Watched:
    """A circuit whose calls are counted."""

    def __init__(self) -> None:
        self.circuit = Circuit()
        self.woken = self.changed = 0
        self.circuit.connect(wake=self._wake, changed=self._change)

    def _wake(self) -> None:
        self.woken += 1

    def _change(self) -> None:
        self.changed += 1


def test_the_first_fault_opens_it_once_and_the_latest_cause_is_the_reason() -> None:
    watched = Watched()
    circuit = watched.circuit
    assert (circuit.is_open, circuit.reason) == (False, None)
    circuit.open(StoreUnavailable("cut"))
    circuit.open(StoreUnavailable("refused"))
    assert (circuit.is_open, circuit.reason, circuit.openings) == (True, "refused", 1)
    assert (watched.woken, watched.changed) == (1, 1)
    assert str(circuit.error()) == "refused"
    circuit.close()
    assert (circuit.is_open, circuit.reason, watched.changed) == (False, None, 2)


def test_a_statement_that_took_too_long_does_not_open_it() -> None:
    circuit = Watched().circuit
    circuit.open(StoreBusy("took too long"))
    assert not circuit.is_open


def test_a_long_wait_asks_for_a_look_and_ends_only_once_the_circuit_is_open() -> None:
    watched = Watched()
    circuit = watched.circuit
    assert not circuit.gives_up(SUSPECT_AFTER_S / 2)
    assert (circuit.is_suspected, watched.woken) == (False, 0)
    assert not circuit.gives_up(SUSPECT_AFTER_S)
    assert (circuit.is_suspected, watched.woken) == (True, 1)
    circuit.open(StoreUnavailable("no answer"))
    assert circuit.gives_up(0.0)

"""Segments that an import writes are as long as those that the service fills."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from persistence.decisions.writer import DecisionLog
from persistence.history.folding import fold_history
from persistence.history.full_segments import FULL_EVENTS
from persistence.history.writer import PastEvent, import_history
from persistence.tenancy import SERVICE
from tests.support.data.own_events import CardTenant
from tests.support.data.past_events import past_of
from tests.support.event_types import an_event_type
from tests.support.fixture_types import Rows

CUSTOMER = ("CUSTOMER_ID", "596")


@pytest.mark.parametrize(
    ("imported", "segments"),
    [(FULL_EVENTS - 1, [FULL_EVENTS]), (FULL_EVENTS, [FULL_EVENTS, 1])],
)
def test_the_function_that_moves_events_fills_a_segment_to_as_many_as_an_import(
    engine: Engine,
    service_engine: Engine,
    rows: Rows,
    imported: int,
    segments: list[int],
) -> None:
    cards = CardTenant(engine, an_event_type())
    past = [PastEvent(*CUSTOMER, us, us.to_bytes(16), b"\x80", None) for us in range(imported)]
    import_history(engine, cards.id, [past], SERVICE)
    assert rows("SELECT events FROM entity_segments") == [{"events": imported}]

    DecisionLog(service_engine).write([cards.decided()])
    fold_history(service_engine, cards.id, [CUSTOMER])

    stored = rows("SELECT events FROM entity_segments ORDER BY events DESC")
    assert [row["events"] for row in stored] == segments
    assert len(past_of(service_engine, cards.id, *CUSTOMER)) == imported + 1

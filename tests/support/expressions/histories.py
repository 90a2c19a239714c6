"""Hypothesis strategies of a card's payments, as windows see them.

Hypothesis validates a strategy when it is first drawn from, so each is made once, not per draw.
"""

from __future__ import annotations

import itertools
import math

from hypothesis import strategies as st

from scoring.windows.definition import DAY_US, HOPS_US
from tests.support.expressions.naive_windows import NaiveEvent

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US

# Times that fall on the edges of hops, into one microsecond, and anywhere.
moments = st.one_of(
    st.builds(
        lambda hops, hop, offset: hops * hop + offset,
        st.integers(0, 40),
        st.sampled_from(HOPS_US),
        st.sampled_from((-1, 0, 1)),
    ),
    st.integers(-2 * DAY_US, 200 * DAY_US),
)
amounts = st.one_of(
    st.none(),
    st.sampled_from((0.0, -0.0, 0.1, 0.2, 0.3, 19.99, -19.99, 1e16, -1e16, math.inf, math.nan)),
    st.sampled_from((5e-324, -2.5e-308, 2.2250738585072014e-308, 1.7976931348623157e308)),
    st.integers(-100_000, 100_000).map(lambda cents: cents / 100),
    st.floats(allow_nan=False, allow_infinity=False),
)


pools = st.lists(moments, min_size=1, max_size=12)
# A place in the pool; one behind its end is any moment.
places = st.integers(0, 17)
places_of_labels = st.sampled_from((None, None, None, None, None, None, *range(18)))
# Drawn together, because Hypothesis spends its time on each draw.
cards_and_conditions = st.sampled_from(
    tuple(itertools.product(("a", "a", "a", "b", None), (True, False)))
)


@st.composite
def histories(draw: st.DrawFn, values: st.SearchStrategy[float | str | None]) -> list[NaiveEvent]:
    pool = draw(pools)

    def moment(place: int) -> int:
        return pool[place] if place < len(pool) else draw(moments)

    times = [moment(place) for place in draw(st.lists(places, max_size=30))]
    if draw(st.booleans()):
        times.sort()
    events = []
    for time in times:
        key, meets = draw(cards_and_conditions)
        known = draw(places_of_labels)
        known_us = None if known is None else moment(known)
        events.append(NaiveEvent(time, key, draw(values), meets, known_us))
    return events


histories_of_amounts = histories(amounts)
histories_of_texts = histories(st.none() | st.sampled_from(("pos", "web", "atm")))
lengths = st.sampled_from((MINUTE_US, 7 * MINUTE_US, 60 * MINUTE_US, DAY_US, 30 * DAY_US)) | (
    st.integers(MINUTE_US, 90 * DAY_US)
)
delays = st.sampled_from((0, 1, MINUTE_US, DAY_US)) | st.integers(0, 30 * DAY_US)
conditions = st.sampled_from((None, "large"))

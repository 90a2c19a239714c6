"""A ruling is equal after it was stored, and chance takes part in no decision of a rule."""

from __future__ import annotations

import json
from math import isnan, nan
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from scoring.exploration import Exploration
from scoring.policy import OUTCOMES
from scoring.rules.ruling import Ruling, ruling_from
from scoring.rules.verdict import BY_MODEL, DecidedBy, EntryMatch, Verdict
from tests.support.factories import a_prediction

KEYS = st.lists(st.tuples(st.integers(1, 2**31), st.integers(1, 99)), max_size=3).map(tuple)
VERDICTS = st.builds(
    Verdict,
    st.sampled_from(OUTCOMES),
    st.one_of(
        st.just(BY_MODEL),
        st.builds(DecidedBy, st.just("rule"), st.integers(1), st.integers(1)),
        st.builds(DecidedBy, st.just("list_entry"), st.integers(1, 2**60)),
    ),
    st.lists(st.builds(EntryMatch, st.integers(1), st.integers(1), st.text()), max_size=2).map(
        tuple
    ),
    KEYS,
    KEYS,
    KEYS,
    KEYS,
)
ALWAYS = Exploration(0.1, 1e9)
AN_ID = UUID(int=7)


@given(
    VERDICTS,
    st.integers(1, 2**60),
    st.dictionaries(st.text(), st.floats(allow_infinity=False, allow_nan=False)),
)
def test_a_ruling_is_equal_after_json(
    verdict: Verdict, as_of: int, windows: dict[str, float]
) -> None:
    ruling = Ruling(as_of, verdict, windows)
    assert ruling_from(json.loads(json.dumps(ruling.document())), verdict.outcome) == ruling


def test_a_missing_window_is_null_and_missing_again() -> None:
    document = Ruling(3, Verdict("approve"), {"count": nan, "sum": 2.5}).document()
    assert document == {"as_of": 3, "windows": {"count": None, "sum": 2.5}}
    read = ruling_from(document, "approve").windows
    assert isnan(read["count"])
    assert read["sum"] == 2.5


def test_a_review_of_a_rule_is_never_approved_by_chance() -> None:
    by_rule = a_prediction().ruled(Ruling(1, Verdict("review", DecidedBy("rule", 1, 1))))
    assert by_rule.randomised(ALWAYS, 1.0, AN_ID) == by_rule
    by_model = a_prediction().ruled(Ruling(1, Verdict("review")))
    assert by_model.randomised(ALWAYS, 1.0, AN_ID).approval_probability == 0.1


def test_a_decline_is_never_approved_by_chance() -> None:
    declined = a_prediction().ruled(Ruling(1, Verdict("decline")))
    assert declined.randomised(ALWAYS, 1.0, AN_ID) == declined

"""Which of the labels of an event counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from scoring.labels import SOURCES, EventLabel, LabelSource, LabelValue, effective_label

DAY = datetime(2026, 3, 1, tzinfo=UTC)


def a_label(
    label: LabelValue,
    source: LabelSource,
    day: int = 0,
    *,
    id_: int = 0,
    is_reversal: bool = False,
) -> EventLabel:
    at = DAY + timedelta(days=day)
    return EventLabel(id_, label, source, is_reversal, at, None, "tests", at)


def test_an_event_without_labels_has_none() -> None:
    assert effective_label([]) is None


def test_the_more_trusted_source_counts_even_where_it_reported_earlier() -> None:
    trusted = a_label("fraud", "chargeback", day=1)
    assert effective_label([trusted, a_label("legitimate", "analyst", day=9)]) is trusted


def test_of_one_source_the_latest_counts_and_of_one_time_the_one_stored_last() -> None:
    labels = [
        a_label("fraud", "customer", day=2, id_=9),
        a_label("legitimate", "customer", day=3, id_=1),
        a_label("fraud", "customer", day=3, id_=2),
    ]
    assert effective_label(labels) is labels[2]


def test_a_reversal_leaves_its_source_without_a_label() -> None:
    analyst = a_label("legitimate", "analyst", day=0)
    labels = [
        analyst,
        a_label("fraud", "chargeback", day=1),
        a_label("fraud", "chargeback", day=2, is_reversal=True),
    ]
    assert effective_label(labels) is analyst
    assert effective_label(labels[1:]) is None


def test_a_label_after_a_reversal_counts_again() -> None:
    again = a_label("fraud", "chargeback", day=3)
    assert effective_label([a_label("fraud", "chargeback", 2, is_reversal=True), again]) is again


def test_an_escalation_replaces_the_analysts_label_and_yields_to_any_other_source() -> None:
    escalated = a_label("escalated", "analyst", day=2)
    labels = [a_label("fraud", "analyst", day=1), escalated]
    assert effective_label(labels) is escalated
    imported = a_label("legitimate", "import", day=0)
    assert effective_label([*labels, imported]) is imported


def test_what_became_known_later_does_not_count_yet() -> None:
    first, second = a_label("fraud", "chargeback", 1), a_label("fraud", "chargeback", 5)
    won = a_label("fraud", "chargeback", day=3, is_reversal=True)
    known = [effective_label([first, second, won], DAY + timedelta(days=day)) for day in range(7)]
    assert known == [None, first, first, None, None, second, second]


LABELS = st.lists(
    st.builds(
        a_label,
        st.sampled_from(("fraud", "legitimate")),
        st.sampled_from(SOURCES),
        st.integers(0, 3),
        is_reversal=st.booleans(),
    )
    | st.builds(a_label, st.just("escalated"), st.just("analyst"), st.integers(0, 3)),
    max_size=8,
).map(lambda labels: [_numbered(label, id_) for id_, label in enumerate(labels)])


def _numbered(label: EventLabel, id_: int) -> EventLabel:
    return EventLabel(
        id_, label.label, label.source, label.reversed, label.occurred_at, None, "tests", DAY
    )


def naive(labels: list[EventLabel], as_of: datetime) -> EventLabel | None:
    """The rule as docs/labels.md has it, source by source."""
    open_case = None
    for source in SOURCES:
        known = [x for x in labels if x.source == source and x.occurred_at <= as_of]
        if not known:
            continue
        latest = sorted(known, key=lambda x: (x.occurred_at, x.id))[-1]
        if latest.reversed:
            continue
        if latest.label != "escalated":
            return latest
        open_case = latest
    return open_case


@given(LABELS, st.integers(-1, 4), st.randoms())
def test_the_rule_is_that_of_the_documentation(
    labels: list[EventLabel], day: int, chance: object
) -> None:
    as_of = DAY + timedelta(days=day)
    shuffled = labels[:]
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert effective_label(shuffled, as_of) == naive(labels, as_of)

"""One list of words for missing values in files; requests have null alone."""

from __future__ import annotations

import pytest

from scoring.errors import InvalidRequest
from scoring.event_type.validation import EventValidator
from scoring.tables.missing_words import MISSING_WORDS, is_missing_word
from tests.support.event_types import NOW_US, an_event, an_event_type
from tests.support.paths import PROJECT

EVENT_TYPE = an_event_type(
    ITEMS={"kind": "integer", "optional": True},
    CHIP={"kind": "boolean", "optional": True},
    OPENED={"kind": "timestamp", "optional": True},
    COUNTRY={"kind": "category", "values": ["DE", "NA"], "optional": True},
    CITY={"kind": "category", "optional": True},
    FEE={"kind": "number", "optional": True},
)
VALIDATOR = EventValidator(EVENT_TYPE)


def test_the_documentation_names_every_word() -> None:
    page = (PROJECT / "docs/data.md").read_text()
    sentence = page[page.index("In a file, an empty cell, ") :].partition(" are missing")[0].lower()
    assert [word for word in MISSING_WORDS if word not in sentence] == []


def test_a_word_counts_in_any_case_and_with_spaces_around_it() -> None:
    assert all(map(is_missing_word, ("", "  ", "NA", "n/a", " NaN ", "Null", "?", "-")))
    assert not any(map(is_missing_word, ("0", "none", "NAM", "--", "n a", ".")))


@pytest.mark.parametrize("name", ["ITEMS", "CHIP", "OPENED", "FEE"])
@pytest.mark.parametrize("word", [*MISSING_WORDS, "NA"])
def test_a_request_has_no_word_for_a_missing_value(name: str, word: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        VALIDATOR.validate(an_event(**{name: word}), NOW_US)
    assert [error.field for error in refused.value.errors] == [name]
    assert VALIDATOR.validate(an_event(**{name: None}), NOW_US).values[name] is None


def test_in_a_request_the_word_is_a_value_of_a_category() -> None:
    event = VALIDATOR.validate(an_event(COUNTRY="NA", CITY="NA"), NOW_US)
    assert (event.values["COUNTRY"], event.values["CITY"]) == ("NA", "NA")
    with pytest.raises(InvalidRequest):
        VALIDATOR.validate(an_event(COUNTRY="na"), NOW_US)

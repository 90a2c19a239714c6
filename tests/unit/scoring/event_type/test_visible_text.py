from __future__ import annotations

import re
import sys
import unicodedata

import pytest

from scoring.event_type.visible_text import INVISIBLE, is_visible, visible_pattern

BASIC_PLANE = [chr(code) for code in range(0x10000)]


def test_the_list_has_every_invisible_character_of_the_basic_plane() -> None:
    hidden = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp", "Zs"}
    expected = [c for c in BASIC_PLANE if unicodedata.category(c) in hidden and c != " "]
    assert [c for c in expected if is_visible(c)] == []


def test_no_other_assigned_character_is_refused() -> None:
    seen = [chr(code) for code in range(sys.maxunicode + 1)]
    refused = [c for c in seen if c.isprintable() and not is_visible(c)]
    assert refused == []
    assert all(not re.match(f"[{INVISIBLE}]", c) for c in seen if c.isprintable())


@pytest.mark.parametrize("trimmed", [True, False])
@pytest.mark.parametrize("text", ["", "a", "ab", "a b", " a", "a ", " ", "abcd", "abcde", "a\nb"])
def test_the_pattern_is_the_same_rule(text: str, trimmed: bool) -> None:
    fits = 1 <= len(text) <= 4 and is_visible(text) and not (trimmed and text != text.strip(" "))
    assert bool(re.search(visible_pattern(4, trimmed=trimmed), text)) is fits

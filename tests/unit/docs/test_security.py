"""The security page names tests that exist."""

from __future__ import annotations

import re

import pytest

from tests.support.paths import PROJECT

PAGE = (PROJECT / "docs" / "security.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)))
HEADERS = ("| risk ", "| chapter ", "| what ", "|---")


def test_the_page_names_many_tests() -> None:
    assert len(NAMED) > 80


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_a_named_test_exists(file: str, name: str) -> None:
    text = (PROJECT / file).read_text()
    assert re.search(rf"^(async )?def {name}\(" if name else "^def test_", text, re.M)


def test_every_line_of_its_tables_names_a_test() -> None:
    tables = PAGE.partition("## OWASP API")[2]
    rows = [line for line in tables.splitlines() if line.startswith("|")]
    rows = [row for row in rows if not row.startswith(HEADERS)]
    assert len(rows) > 30
    assert [row for row in rows if "`tests/" not in row] == []

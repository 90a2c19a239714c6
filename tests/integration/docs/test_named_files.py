"""The files and folders that the documentation names exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from tests.support.paths import PROJECT

PAGES = sorted(
    chain(
        PROJECT.glob("*.md"),
        *(PROJECT.glob(f"{folder}/**/*.md") for folder in ("docs", "deploy", "benchmarks")),
    )
)
FOLDERS = sorted(
    entry.name for entry in PROJECT.iterdir() if entry.is_dir() and entry.name[0] != "."
)
QUOTED = re.compile(r"`([^`\n]+)`")
FILE = re.compile(
    r"(?<![\w/.$<>*~-])((?:[\w-]+/)*[\w-]+\.(?:py|md|ya?ml|json|sql|sh|toml|js|txt|html|j2))"
    r"(?![\w/*-])"
)
FOLDER = re.compile(r"^((?:[\w-]+/)+)$")
OF_A_COMMIT = re.compile(r"\bcommit\s+[0-9a-f]{7}")
"""A paragraph with it names files as they were then."""
MADE = {
    *("booster.txt", "calibrator.json", "features.json", "golden.json", "policy.json"),
    *("config.json", "model_card.html"),
    *("docs.json", "openapi.json"),
    "tables.json",
}
"""Files of a model version, of a training or of a chaos run, and addresses of the service."""


@pytest.fixture(scope="module")
def existing() -> str:
    """The paths of the project's files and folders, each in a line, with a slash in front."""
    found = chain(PROJECT.iterdir(), *((PROJECT / folder).rglob("*") for folder in FOLDERS))
    return "".join(f"/{path.relative_to(PROJECT)}\n" for path in found)


def missing(text: str, existing: str) -> list[str]:
    """The files and folders that a text names and that do not exist; the end of a path will do."""
    paragraphs = [
        paragraph
        for paragraph in re.split(r"\n\s*\n|\n(?=- )", text)
        if not OF_A_COMMIT.search(paragraph)
    ]
    return [
        name
        for paragraph in paragraphs
        for name in _named(paragraph)
        if name not in MADE and f"/{name.rstrip('/')}\n" not in existing
    ]


def _named(paragraph: str) -> Iterator[str]:
    for words in QUOTED.findall(paragraph):
        yield from chain(FILE.findall(words), FOLDER.findall(words))
    for name in FILE.findall(QUOTED.sub("", paragraph)):
        if name.partition("/")[0] in FOLDERS:
            yield name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_file_that_a_page_names_exists(page: Path, existing: str) -> None:
    assert missing(page.read_text(), existing) == []


def test_a_file_that_is_gone_is_found_unless_a_commit_is_named(existing: str) -> None:
    named = "See `scoring/labels.py`, `labels.py`, `scoring/windows/` and `make_it.py --now`.\n"
    assert missing(named, existing) == ["make_it.py"]
    assert missing("`scoring/gone/` and\n`pytest scoring/gone.py`", existing) == [
        *("scoring/gone/", "scoring/gone.py")
    ]
    assert missing("Written in docs/gone.md; see a/b.md.", existing) == ["docs/gone.md"]
    assert missing("`gone.py` of commit 71b761e.\n\n`lost.py`", existing) == ["lost.py"]

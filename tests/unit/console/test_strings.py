"""Every language has the same texts, and every text that a page uses is there."""

from __future__ import annotations

import re
from string import Formatter

import pytest

from console.strings import FOLDER, LANGUAGES, preferred, texts, translate
from scoring.errors import SentinelError

CONSOLE = FOLDER.parent
_USED = re.compile(r"""\bt\(\s*["']([a-z_.0-9]+)["']\s*[,)]""")
_BEGUN = re.compile(r"""["']([a-z_]+\.[a-z_.0-9]*)(?:["']\s*~|\{|(?<=\.)["'])""")

_SECTIONS = {key.split(".")[0] for key in texts("en")}


def sources() -> str:
    files = [*CONSOLE.rglob("*.j2"), *CONSOLE.rglob("*.py")]
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_every_language_has_the_same_keys_and_the_same_values_to_fill_in() -> None:
    english = texts("en")
    assert len(english) > 50
    for language in LANGUAGES:
        other = texts(language)
        assert other.keys() == english.keys(), other.keys() ^ english.keys()
        for key, text in other.items():
            assert placeholders(text) == placeholders(english[key]), f"{language} {key}"
            assert text.strip() == text != "", f"{language} {key}"


def test_every_text_that_a_template_names_is_there() -> None:
    known = texts("en")
    for key in _USED.findall(sources()):
        assert key in known or f"{key}.one" in known, key
    begun = [begin for begin in _BEGUN.findall(sources()) if begin.split(".")[0] in _SECTIONS]
    assert len(begun) > 10
    for begin in begun:
        assert any(key.startswith(begin) for key in known), begin


def test_no_text_is_left_over() -> None:
    written = sources()
    used = set(_USED.findall(written))
    begun = tuple(_BEGUN.findall(written))
    in_code = set(re.findall(r"""["']([a-z_]+(?:\.[a-z_0-9]+)+)["']""", written))
    for key in texts("en"):
        name = key.removesuffix(".one").removesuffix(".other")
        assert name in used | in_code or key.startswith(begun), f"nothing uses {key}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_is_a_name_in_the_settings(language: str) -> None:
    assert translate(language, f"settings.languages.{language}")


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("fr,de;q=0.5,en;q=0.9", "en"),
        ("fr", "en"),
        ("de;q=x,en", "en"),
        ("*", "en"),
    ],
)
def test_the_browsers_languages_choose(header: str | None, language: str) -> None:
    assert preferred(header) == language


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_error_has_a_title_for_people_in_every_language(language: str) -> None:
    def codes(error: type[SentinelError]) -> set[str]:
        return {error.code}.union(*(codes(one) for one in error.__subclasses__()))

    known = texts(language)
    assert {code for code in codes(SentinelError) if f"error.titles.{code}" not in known} == set()
    assert "API" not in known["error.titles.forbidden"]

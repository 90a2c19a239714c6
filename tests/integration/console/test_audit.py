"""The audit page says in sentences who did what."""

from __future__ import annotations

import re

import pytest

from console.audit.sentences import ACTIONS, READS, action_name
from console.strings import LANGUAGES
from tests.support.console.site import Site
from tests.support.data.rules import put_list

PEOPLE = "/console/settings/people"


def test_an_entry_is_a_sentence_with_what_changed_and_a_link(site: Site) -> None:
    chris = site.person("admin")
    chris.submit(f"{PEOPLE}/role", email="ana@demo.example", role="senior")
    page = chris.get("/console/audit?action=user.changed&actor=Chris+Admin").text
    assert (
        '<strong>Chris Admin</strong> gave <a href="/console/settings/people" class="wrap">'
        "Ana Analyst</a> the role Senior analyst" in page
    )
    assert (
        '<th scope="row">role</th><td class="wrap">analyst</td><td class="wrap">senior</td>' in page
    )


@pytest.mark.parametrize(
    ("query", "is_there"),
    [
        ("actor=Chris+Admin", True),
        ("actor=Ana+Analyst", False),
        ("action=user.changed", True),
        ("action=rule.created", False),
        ("object=users/0", False),
        ("from=2020-01-01T00:00", True),
        ("to=2020-01-01T00:00", False),
        ("log=reads", False),
    ],
)
def test_filters_of_a_link_are_honoured(site: Site, query: str, is_there: bool) -> None:
    chris = site.person("admin")
    chris.submit(f"{PEOPLE}/role", email="ana@demo.example", role="senior")
    page = chris.get(f"/console/audit?{query}")
    assert page.status_code == 200
    assert ("the role Senior analyst" in page.text) == is_there
    other = site.person(site.stranger).get(f"/console/audit?{query}")
    assert "the role Senior analyst" not in other.text


def test_a_name_in_an_entry_is_text(site: Site) -> None:
    chris = site.person("admin")
    chris.submit(PEOPLE, email="eve@demo.example", name="<b>{actor}", role="analyst")
    page = chris.get("/console/audit").text
    assert "&lt;b&gt;{actor}" in page
    assert "<b>{actor}" not in page


def test_searches_are_among_what_was_read(site: Site) -> None:
    site.decided(0.9, name_orig="C7")
    site.person("analyst").get("/console/search?q=C7")
    page = site.person("admin").get("/console/audit?log=reads&object=accounts/C7").text
    assert "searched transactions" in page
    assert 'href="/console/search?q=C7"' in page


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_action_has_a_name_in_every_language(language: str) -> None:
    names = [action_name(action, language) for action in (*ACTIONS, *READS)]
    assert len(set(names)) == len(names)
    assert not set(names) & {*ACTIONS, *READS}


def test_the_filter_lists_actions_by_their_names(site: Site) -> None:
    chris = site.person("admin")
    assert (
        '<option value="key.created">API key: created</option>' in chris.get("/console/audit").text
    )
    reads = chris.get("/console/audit?log=reads&action=case.read").text
    assert '<option value="case.read" selected>Case read</option>' in reads


def test_a_sentence_says_what_happened_and_not_that_a_row_changed(site: Site) -> None:
    put_list(site.engine, site.tenant.id)
    ana, chris = site.person(), site.person("admin")
    ana.submit("/console/entities/account/C7", change="add", list="blocked", reason="Mule")
    made = ana.submit("/console/cases/new", title="Ring", priority="high", note="Called.")
    assert made.status_code == 303
    page = re.sub(r"<[^>]+>", "", chris.get("/console/audit").text)
    assert "Ana Analyst added C7 to the list blocked" in page
    assert "Ana Analyst opened case 1" in page
    assert "Ana Analyst wrote a note in case 1" in page
    assert "created the entries" not in page
    assert "created the note" not in page

"""Every package's licence is listed, known, and none that would reach the project's own code."""

from __future__ import annotations

import pytest

from tools.licences import PAGE, REFUSED, licences, page


def test_the_page_has_the_licences_of_the_installed_packages() -> None:
    assert PAGE.read_text() == page(licences()), "run `python -m tools.licences`"


def test_no_package_has_a_licence_that_reaches_other_code_or_is_unknown() -> None:
    found = licences()
    assert len(found) > 150, "the packages of dev.lock are installed"
    assert [one for one in found if REFUSED.search(one.name)] == []


@pytest.mark.parametrize(
    ("name", "is_refused"),
    [
        ("GPL-3.0-only", True),
        ("AGPL-3.0-or-later", True),
        ("GNU General Public License v3 (GPLv3)", True),
        ("GNU Affero General Public License v3", True),
        ("SSPL-1.0", True),
        ("unknown", True),
        ("LGPL-3.0-only", False),
        ("GNU Lesser General Public License v3 (LGPLv3)", False),
        ("MPL-2.0", False),
        ("Apache-2.0 OR MIT", False),
    ],
)
def test_licences_are_told_apart(name: str, is_refused: bool) -> None:
    assert (REFUSED.search(name) is not None) is is_refused

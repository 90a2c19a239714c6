"""Test files share helpers through tests/support only, and the scheduler's groups exist."""

from __future__ import annotations

import re

import pytest

from tests.support.paths import PROJECT
from tests.support.plugins.scheduling import FOLDERS, LONGEST_FIRST, group_of, rank

FILES = sorted((PROJECT / "tests").rglob("*.py"))
OF_A_TEST = re.compile(r"^\s*(?:from|import) tests\.(?:unit|integration|e2e)\b", re.M)


def test_no_file_imports_a_test_file() -> None:
    importers = [
        str(file.relative_to(PROJECT)) for file in FILES if OF_A_TEST.search(file.read_text())
    ]
    assert importers == []


def test_the_groups_of_the_scheduler_exist() -> None:
    assert [name for name in (*FOLDERS, *LONGEST_FIRST) if not (PROJECT / name).exists()] == []


@pytest.mark.parametrize(
    ("nodeid", "group"),
    [
        ("tests/unit/a/test_b.py::test_c[d::e]", "tests/unit/a/test_b.py"),
        ("tests/e2e/observability/test_logs.py::test_c", "tests/e2e/observability"),
        ("tests/e2e/observability_too/test_b.py::test_c", "tests/e2e/observability_too/test_b.py"),
    ],
)
def test_tests_of_a_file_or_of_a_shared_service_form_a_group(nodeid: str, group: str) -> None:
    assert group_of(nodeid) == group


def test_long_groups_come_before_all_others() -> None:
    order = [rank(f"{name}::test_a") for name in LONGEST_FIRST]
    assert order == sorted(set(order))
    assert rank("tests/unit/other/test_short.py::test_a") > order[-1]

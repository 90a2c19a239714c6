"""The comparison with libraries: it names what is missing, and measures what is there."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
from click.testing import CliRunner

from benchmarks.libraries import __main__ as libraries
from benchmarks.libraries.timing import in_turn


def test_a_library_that_is_missing_is_named_in_a_sentence_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        libraries, "find_spec", lambda name: None if name == "async_lru" else find_spec("json")
    )
    result = CliRunner().invoke(libraries.main, ["caches"])
    assert result.exit_code == 1
    assert result.output.startswith("Error: Packages for this comparison are missing; run ")
    assert result.output.endswith(" -m pip install async-lru\n")


@pytest.mark.parametrize(
    ("item", "line"),
    [
        ("cursors", "ours: 102 characters; 0 of "),
        ("ids", "uuid_utils.compat.uuid7: uuid.UUID; by orjson: "),
    ],
)
def test_an_item_whose_libraries_are_there_is_measured(item: str, line: str) -> None:
    arguments = [item, "--calls", "10", "--rounds", "1"]
    result = CliRunner().invoke(libraries.main, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert line in result.output
    assert "x1.00" in result.output


def test_each_way_is_called_as_often_as_said_and_once_more_in_a_round_that_does_not_count() -> None:
    calls = {"function": 0, "coroutine": 0}

    def function() -> None:
        calls["function"] += 1

    async def coroutine() -> None:
        calls["coroutine"] += 1

    samples = in_turn({"function": function, "coroutine": coroutine}, calls=5, rounds=3)
    assert {name: len(values) for name, values in samples.items()} == {
        "function": 3,
        "coroutine": 3,
    }
    assert calls == {"function": 20, "coroutine": 20}

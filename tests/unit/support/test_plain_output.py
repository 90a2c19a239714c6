"""Names of files and models are printed as they are, whatever Rich's markup would make of them."""

from __future__ import annotations

import ast
import io
from collections.abc import Iterator

import pytest
from rich.console import Console

from sentinel.local.terminal import open_console
from tests.support.paths import PROJECT
from training.progress import Reporter
from training.reporting.tables import titled_table

AWKWARD = "[bold]:bug:[/x] [link=file:///] 50% $HOME 'ü' \\["


def calls_of_console() -> Iterator[str]:
    for folder in ("benchmarks", "docs", "sentinel", "tools", "training"):
        for path in (PROJECT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Console":
                    yield str(path.relative_to(PROJECT))


def test_consoles_are_opened_without_markup() -> None:
    assert set(calls_of_console()) <= {"sentinel/local/terminal.py"}, "use open_console()"


@pytest.mark.parametrize("terminal", [True, False])
def test_a_stage_a_note_and_a_table_show_a_name_as_it_is(terminal: bool) -> None:
    console = open_console()
    console.file = io.StringIO()
    console._force_terminal = terminal
    console.width = 200
    with Reporter(console) as reporter:
        with reporter.stage(f"Read {AWKWARD}"):
            pass
        reporter.note(f"Ignored: {AWKWARD}")
    table = titled_table(f"Data: {AWKWARD}", AWKWARD, data=AWKWARD)
    table.add_row(AWKWARD + "x" * 20)
    console.print(table)
    shown = console.file.getvalue()
    for line in (f"Read {AWKWARD}", f"Ignored: {AWKWARD}", f"Data: {AWKWARD}"):
        assert line in shown
    assert shown.count(AWKWARD) >= 5


def test_rich_by_itself_would_not() -> None:
    console = Console(file=io.StringIO())
    console.print("[bold]")
    assert isinstance(console.file, io.StringIO)
    assert "[bold]" not in console.file.getvalue()

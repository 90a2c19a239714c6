"""The documentation's links, commands and numbers are right, and its blocks are run by tests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from sentinel.cli.main import main as sentinel
from tests.support.docs_runner import BLOCK, GUIDE, GUIDES, README, blocks
from tests.support.paths import PROJECT
from training.__main__ import cli as training

CONTRIBUTING = PROJECT / "CONTRIBUTING.md"
PAGES = sorted(
    [README, CONTRIBUTING, *PROJECT.glob("docs/**/*.md"), *PROJECT.glob("deploy/**/*.md")]
)
FENCE = re.compile(r"^```(?:sh)?\n(.*?)^```$", re.M | re.S)
INDENTED = re.compile(r"(?:^    .*\n)+", re.M)
QUOTED = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^()\s]+)\)")
# At the beginning of a line, or behind what hands a command on; up to a comment or another command.
COMMAND = re.compile(
    r"(?:^|exec |; |operator )(?:(make|sentinel)|[\w/.]*python -m (training)) "
    r"((?:(?!  | [<>#&]|[;|)\\\n]).)+)",
    re.M,
)
# What only `.venv` has.
PROGRAMS = re.compile(r"^(?:\$ )?(?:sentinel|bentoml|mlflow|pytest|python3?) ", re.M)
ACTIVATION = ". .venv/bin/activate\n"
PYTEST = re.compile(r"`pytest ([^`]+)`")
TARGET = re.compile(r"^([a-z-]+):", re.M)


def commands(page: Path) -> Iterator[list[str]]:
    """The words of each `make`, `sentinel` and `python -m training` that a page tells to run."""
    prose = page.read_text()
    text = "\n".join(
        [
            *FENCE.findall(prose),
            *(re.sub(r"^    (\$ )?", "", block, flags=re.M) for block in INDENTED.findall(prose)),
            *QUOTED.findall(prose),
        ]
    )
    for match in COMMAND.finditer(text):
        yield [match[1] or match[2], *(word.strip("'\"") for word in match[3].split())]


def unknown(words: list[str]) -> str | None:
    """Say what of a command does not exist."""
    program, *rest = words
    if program == "make":
        targets = TARGET.findall((PROJECT / "Makefile").read_text())
        missing = [word for word in rest if "=" not in word and word not in targets]
        return f"make has no target {missing[0]}" if missing else None
    command: click.Command = {"sentinel": sentinel, "training": training}[program]
    context = click.Context(command)
    while isinstance(command, click.Group):
        if not rest:
            return None  # names the group
        name = rest.pop(0)
        if name.startswith("-"):
            return None if name == "--help" else f"{program} has no option {name}"
        result = command.get_command(context, name)
        if result is None:
            return f"{program} has no command {name}"
        command = result
    options = {word for parameter in command.params for word in parameter.opts} | {"--help"}
    for word in rest:
        if word.startswith("--") and word.partition("=")[0] not in options:
            return f"{program} {command.name} has no option {word}"
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_link_of_a_page_leads_to_a_file_and_a_heading(page: Path) -> None:
    for link in LINK.findall(page.read_text()):
        if "://" in link:
            continue
        path, _, heading = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link} leads nowhere"
        if heading:
            assert heading in headings(target), f"{link}: there is no such heading"


def headings(page: Path) -> set[str]:
    """The anchors of a page, as GitHub and GitLab make them."""
    lines = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
    return {re.sub(r"[^\w -]", "", line.lower()).strip().replace(" ", "-") for line in lines}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_command_of_a_page_exists(page: Path) -> None:
    wrong = {" ".join(words): reason for words in commands(page) if (reason := unknown(words))}
    assert wrong == {}


def test_the_guides_commands_are_found_and_an_unknown_one_is_reported() -> None:
    lines = list(commands(GUIDE))
    assert {words[0] for words in lines} == {"make", "sentinel", "training"}
    assert len(lines) > 12
    assert unknown(["make", "coffee"]) == "make has no target coffee"
    assert unknown(["sentinel", "db", "drop"]) == "sentinel has no command drop"
    assert unknown(["sentinel", "db", "maintain", "--forget"])
    assert unknown(["training", "promote", "--tenant", "acme", "--now"])
    assert unknown(["training", "promote", "--tenant", "acme", "--force"]) is None


def test_the_guides_files_and_cluster_objects_exist() -> None:
    text = GUIDE.read_text()
    # A file, or kubectl's short name of the Deployment.
    paths = set(re.findall(r"(?<![\w/])(?:deploy|docs)/[\w./-]*\w", text)) - {"deploy/sentinel"}
    assert len(paths) > 3
    assert [path for path in sorted(paths) if not (PROJECT / path).exists()] == []
    manifests = "\n".join(
        file.read_text() for file in (PROJECT / "deploy/kubernetes").rglob("*.yaml")
    )
    for name in re.findall(r"cronjob[ /]([\w-]+)|deploy(?:ment)?/(sentinel)\b", text):
        assert f"name: {name[0] or name[1]}\n" in manifests
    for label in re.findall(r"-l app\.kubernetes\.io/(component=\w+)", text):
        assert label.replace("=", ": ") in manifests


def test_every_named_block_is_run_by_a_test() -> None:
    of_operators = (
        "tests/support/deploy/operated_system.py",
        "tests/e2e/operations/test_backup.py",
        "tests/integration/persistence/connection/test_tls.py",
    )
    of_newcomers = ("tests/e2e/docs/test_readme.py", "tests/e2e/sentinel/test_demo.py")
    not_run = set()
    for page in PAGES:
        files = of_operators if page in GUIDES else of_newcomers
        tests = "".join((PROJECT / name).read_text() for name in files)
        not_run |= {name for name in blocks(page) if f'"{name}"' not in tests}
    # Examples, which a test replaces by its own; and a summary of the guide, which needs a cluster.
    assert not_run == {"addresses", "cluster"}


@pytest.mark.parametrize("page", [README, CONTRIBUTING], ids=lambda page: page.name)
def test_every_command_line_for_newcomers_is_in_a_named_block(page: Path) -> None:
    text = BLOCK.sub("", page.read_text())
    printed = "\n".join([*FENCE.findall(text), *INDENTED.findall(text)])
    lines = [line.strip() for line in printed.splitlines()]
    items = [line for line in lines if PROGRAMS.match(line) or line.startswith((". ", "export "))]
    # What `make demo` prints.
    assert [line for line in items if "curl -s $SENTINEL_URL/score" not in line] == []


@pytest.mark.parametrize("page", [README, CONTRIBUTING], ids=lambda page: page.name)
def test_every_block_for_newcomers_activates_the_environment_before_its_programs(
    page: Path,
) -> None:
    wrong = {}
    for name, block in blocks(page).items():
        program = PROGRAMS.search(block)
        activation = block.find(ACTIVATION)
        if program is not None and not 0 <= activation < program.start():
            wrong[name] = program[0]
    assert wrong == {}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_a_page_with_programs_of_the_environment_says_where_they_are(page: Path) -> None:
    text = page.read_text()
    transcripts = [re.sub(r"^    ", "", block, flags=re.M) for block in INDENTED.findall(text)]
    programs = [block for block in [*FENCE.findall(text), *transcripts] if PROGRAMS.search(block)]
    assert not programs or ACTIVATION.strip() in text


def test_the_tests_that_contributing_names_exist() -> None:
    named = PYTEST.findall(CONTRIBUTING.read_text())
    assert len(named) > 2
    for words in (line.split() for line in named):
        option = words.index("-k") if "-k" in words else len(words)
        paths = [PROJECT / word for word in words[:option] if not word.startswith("-")]
        assert [path for path in paths if not path.exists()] == []
        for keyword in words[option + 1 :]:
            tests = "".join(test.read_text() for path in paths for test in path.rglob("test_*.py"))
            assert re.search(rf"def test_\w*{keyword}", tests), keyword


def test_the_counts_that_the_readme_prints_are_the_real_ones() -> None:
    text = README.read_text()
    (packages,) = re.findall(r"Installing (\d+) pinned packages", text)
    lock = (PROJECT / "requirements/dev.lock").read_text()
    assert int(packages) == len(re.findall(r"(?m)^[A-Za-z0-9]", lock))
    (calls,) = re.findall(r"([\d,]+) generated calls", text)
    contract = (PROJECT / "tests/e2e/http/test_contract.py").read_text()
    assert f"\nEXAMPLES = {calls.replace(',', '_')}\n" in contract


def test_the_readme_types_no_duration_of_a_command() -> None:
    text = README.read_text()
    # Those of the service are recorded: tests/unit/benchmarks/test_published_figures.py.
    before = text[: text.index("## How fast is it?")]
    # Facts about how the service behaves, not how long a command takes.
    facts = ("follows within a second", "within a second")
    for fact in facts:
        before = before.replace(fact, "")
    matches = re.findall(r"\d+(?:\.\d+)? (?:s|seconds?|minutes?)\b|\ba (?:second|minute)\b", before)
    assert matches == []

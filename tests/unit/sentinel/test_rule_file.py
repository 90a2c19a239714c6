"""Rules in a file: read in YAML and JSON, refused with every fault by rule."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sentinel.rule_file import MAX_BYTES, FileRule, RuleFileError, read_rules

LARGE = {"name": "large", "condition": "amount > 1000", "action": "review"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "rules.yaml"


def refusal(path: Path) -> str:
    with pytest.raises(RuleFileError) as refused:
        read_rules(path)
    return str(refused.value)


def test_a_rule_may_leave_state_and_priority_open(file: Path) -> None:
    file.write_text(
        "rules:\n"
        "- name: large\n"
        "  condition: amount > 1000\n"
        "  action: review\n"
        "- name: 'at night: é'\n"
        "  condition: >\n"
        "    amount > 100\n"
        "    and score > 0.5\n"
        "  action: decline\n"
        "  state: live\n"
        "  priority: 0\n",
        "utf-8",
    )
    assert read_rules(file) == [
        FileRule(1, "large", "amount > 1000", "review"),
        FileRule(2, "at night: é", "amount > 100 and score > 0.5\n", "decline", "live", 0),
    ]


@pytest.mark.parametrize("document", [{"rules": [LARGE]}, [LARGE]])
def test_json_and_a_list_alone_are_read_too(file: Path, document: object) -> None:
    file.write_text(json.dumps(document, indent="\t" if isinstance(document, dict) else None))
    assert read_rules(file) == [FileRule(1, "large", "amount > 1000", "review")]


@pytest.mark.parametrize("written", ["off", "'off'", "Off"])
def test_off_is_a_state_though_yaml_reads_it_as_false(file: Path, written: str) -> None:
    file.write_text(f"- {{name: a, condition: amount > 1, action: review, state: {written}}}\n")
    assert [rule.state for rule in read_rules(file)] == ["off"]


def test_every_fault_of_every_rule_has_a_line(file: Path) -> None:
    rules: list[Any] = [
        LARGE,
        {"name": "large", "condition": "amount > 1", "action": "Review", "state": "on"},
        "amount > 1",
        {"condition": True, "priority": 1.5, "prio": 1},
        LARGE,
    ]
    file.write_text(json.dumps(rules))
    head, *lines = refusal(file).splitlines()
    assert head.endswith("rules.yaml is not valid; nothing was changed:")
    assert lines == [
        "  rule 2 (large): action must be approve, review or decline",
        "  rule 2 (large): state must be off, shadow or live",
        "  rule 3: must be a mapping with name, condition, action",
        "  rule 4: prio is not a member; there are name, condition, action, state, priority",
        "  rule 4: name is required",
        "  rule 4: action is required",
        "  rule 4: condition must be text; quote True",
        "  rule 4: priority must be a whole number from 0 to 10,000",
        "  rule 5 (large): name is that of rule 1",
    ]


@pytest.mark.parametrize(
    ("member", "value", "fault"),
    [
        ("name", "", "name must be 1 to 100 characters on one line, not only spaces"),
        ("name", "  ", "name must be 1 to 100 characters"),
        ("name", "x" * 101, "name must be 1 to 100 characters"),
        ("name", "a\nb", "name must be 1 to 100 characters"),
        ("name", "\ud800", "name must be 1 to 100 characters"),
        ("name", 7, "name must be text; quote 7"),
        ("name", None, "name is required"),
        ("action", ["review"], "action must be approve, review or decline"),
        ("state", True, "state must be off, shadow or live"),
        ("state", 0, "state must be off, shadow or live"),
        ("priority", -1, "priority must be a whole number from 0 to 10,000"),
        ("priority", 10_001, "priority must be"),
        ("priority", True, "priority must be"),
        ("priority", "1", "priority must be"),
    ],
)
def test_a_member_that_is_not_valid_is_named(
    file: Path, member: str, value: object, fault: str
) -> None:
    file.write_text(json.dumps([LARGE | {member: value}]))
    assert f": {fault}" in refusal(file)


@pytest.mark.parametrize("name", [" a ", "x" * 100, "a\u00a0b"])
def test_a_name_that_the_api_takes_is_taken(file: Path, name: str) -> None:
    file.write_text(json.dumps([LARGE | {"name": name}]))
    assert [rule.name for rule in read_rules(file)] == [name]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"rules: [", "is not YAML"),
        (b"rules: []\nrules: []\n", "rules is given twice"),
        (b"- {name: a, name: b}", "name is given twice"),
        (b"rules: !!python/object/apply:os.system ['true']", "is not YAML"),
        (b"\xff\xfe\x00", "is not YAML"),
        (b"[" * 20_000, "is not YAML: more than 100 brackets are open"),
        (b"#" * (MAX_BYTES + 1), "has more than 4,194,304 bytes"),
        (b"", "is empty; a file of rules has `rules`, a list of mappings with name, condition, a"),
        (b"7", "is a single value; a file of rules"),
        (b"rules:\n", "has no rules; a file of rules"),
        (b"[]", "has no rules; a file of rules"),
        (b"rules: {a: b}", "has no rules; a file of rules"),
        (b"{}", "has no rules; a file of rules"),
        (b"rules: []\nlists: []\n", "has lists beside rules"),
    ],
)
def test_anything_else_is_refused_in_a_sentence(file: Path, content: bytes, message: str) -> None:
    file.write_bytes(content)
    assert message in refusal(file)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "gone.yaml").endswith(
        "gone.yaml cannot be read: No such file or directory."
    )
    assert "cannot be read" in refusal(tmp_path)

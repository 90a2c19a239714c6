"""Rules in files: YAML or JSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent
from typing import Any, get_args

import yaml

from scoring.errors import CommandError
from scoring.policy import Outcome
from scoring.printable import printable
from scoring.rules.rule import MAX_NAME_LENGTH, MAX_PRIORITY, RuleState
from sentinel.sentences import shown
from sentinel.yaml_keys import no_mapping, parsed

MAX_BYTES = 4 * 1024 * 1024
MEMBERS = ("name", "condition", "action", "state", "priority")

_RULES = "rules"
_NEEDED = MEMBERS[:3]
_LINE = r"[^\x00-\x1f\x7f\ud800-\udfff]"
_NAME = re.compile(rf"{_LINE}*(?! ){_LINE}{_LINE}*")


@dataclass(frozen=True, slots=True)
class FileRule:
    """A rule as a file has it.

    Attributes:
        number: its number in the file, counted from 1.
        name: name by which it is found among the tenant's rules.
        condition: condition as it was written.
        action: outcome of a payment for which the condition is true.
        state: state; None where the file leaves it open.
        priority: priority; None where the file leaves it open.
    """

    number: int
    name: str
    condition: str
    action: Outcome
    state: RuleState | None = None
    priority: int | None = None


@dataclass(frozen=True, slots=True)
class RuleFault:
    """What is wrong with a rule of a file.

    Attributes:
        number: number of the rule in the file, counted from 1.
        name: its name; None where it has none.
        message: phrase or sentence; of several lines where a condition is shown.
    """

    number: int
    name: str | None
    message: str


class RuleFileError(CommandError):
    """A file of rules cannot be read, or its rules are not valid."""


def read_rules(path: Path) -> list[FileRule]:
    """Return the rules of a file in their order.

    Args:
        path: file in YAML or JSON: a mapping with `rules`, or the list alone.

    Raises:
        RuleFileError: the file cannot be read, or its rules are not valid; names each rule.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise RuleFileError(f"{shown(path)} cannot be read: {error.strerror}.") from error
    if len(content) > MAX_BYTES:
        raise RuleFileError(f"{shown(path)} has more than {MAX_BYTES:,} bytes.")
    try:
        document = parsed(content)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise RuleFileError(f"{shown(path)} is not YAML: {reason}.") from error
    rules: list[FileRule] = []
    faults: list[RuleFault] = []
    for number, item in enumerate(_items(path, document), 1):
        found = _rule(number, item)
        if isinstance(found, FileRule):
            rules.append(found)
        else:
            faults += found
    faults += _repeated(rules)
    if faults:
        raise not_valid(path, faults)
    return rules


def not_valid(path: Path, faults: list[RuleFault]) -> RuleFileError:
    """Return the error of a file whose rules are not valid.

    Args:
        path: file.
        faults: what is wrong, in any order.
    """
    lines = []
    for fault in sorted(faults, key=lambda fault: fault.number):
        named = f" ({printable(fault.name)})" if fault.name else ""
        first, *more = fault.message.split("\n")
        lines.append(f"\n  rule {fault.number}{named}: {first}")
        lines += [f"\n{indent(line, '    ')}" for line in more]
    return RuleFileError(f"{shown(path)} is not valid; nothing was changed:{''.join(lines)}")


def _items(path: Path, document: object) -> list[object]:
    """Return the list of rules of a document."""
    items = document
    if isinstance(document, dict):
        unknown = [str(key) for key in document if key != _RULES]
        if unknown:
            raise RuleFileError(f"{shown(path)} has {printable(unknown[0])} beside rules.")
        items = document.get(_RULES)
    if isinstance(items, list) and items:
        return items
    what = no_mapping(document) if not isinstance(document, dict | list) else "has no rules"
    raise RuleFileError(
        f"{shown(path)} {what}; a file of rules has `rules`, a list of mappings with "
        f"{', '.join(_NEEDED)} and, where wanted, {' and '.join(MEMBERS[3:])}."
    )


def _rule(number: int, item: object) -> FileRule | list[RuleFault]:
    """Return a rule of a file, or what is wrong with it."""
    if not isinstance(item, dict):
        return [RuleFault(number, None, f"must be a mapping with {', '.join(_NEEDED)}")]
    given: Mapping[Any, Any] = item
    faults = [
        f"{printable(str(key))} is not a member; there are {', '.join(MEMBERS)}"
        for key in given
        if key not in MEMBERS
    ]
    faults += [f"{name} is required" for name in _NEEDED if given.get(name) is None]
    values: dict[str, Any] = {"state": None, "priority": None}
    for member, fault in _FAULTS.items():
        value = given.get(member)
        if value is None:
            continue
        if member == "state" and value is False:  # `off` in YAML 1.1, which PyYAML reads
            value = "off"
        if (message := fault(value)) is not None:
            faults.append(f"{member} {message}")
        values[member] = value
    if not faults:
        return FileRule(number, **values)
    name = given.get("name")
    return [RuleFault(number, name if isinstance(name, str) else None, one) for one in faults]


def _repeated(rules: list[FileRule]) -> list[RuleFault]:
    """Return the faults of rules that have the name of one before."""
    first: dict[str, int] = {}
    faults = []
    for rule in rules:
        before = first.setdefault(rule.name, rule.number)
        if before != rule.number:
            faults.append(RuleFault(rule.number, rule.name, f"name is that of rule {before}"))
    return faults


def _name_fault(value: object) -> str | None:
    if not isinstance(value, str):
        return _not_text(value)
    if len(value) <= MAX_NAME_LENGTH and _NAME.fullmatch(value):
        return None
    return f"must be 1 to {MAX_NAME_LENGTH} characters on one line, not only spaces"


def _condition_fault(value: object) -> str | None:
    return None if isinstance(value, str) else _not_text(value)


def _not_text(value: object) -> str:
    return f"must be text; quote {printable(str(value))[:60]}"


def _one_of(words: tuple[str, ...]) -> Callable[[object], str | None]:
    *most, last = words

    def fault(value: object) -> str | None:
        known = isinstance(value, str) and value in words
        return None if known else f"must be {', '.join(most)} or {last}"

    return fault


def _priority_fault(value: object) -> str | None:
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if is_whole and 0 <= value <= MAX_PRIORITY:  # type: ignore[operator]
        return None
    return f"must be a whole number from 0 to {MAX_PRIORITY:,}"


_FAULTS: dict[str, Callable[[object], str | None]] = {
    "name": _name_fault,
    "condition": _condition_fault,
    "action": _one_of(get_args(Outcome)),
    "state": _one_of(get_args(RuleState)),
    "priority": _priority_fault,
}
"""Function that returns what a member must be, as a phrase, or None where it is."""

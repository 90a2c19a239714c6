"""Read and write YAML: each key of a mapping once, and numbers with an exponent as in YAML 1.2."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any

import yaml

from registry.yaml_depth import ShallowLoader

# https://yaml.org/spec/1.2.2/#1032-tag-resolution. PyYAML's numbers are those of YAML 1.1, where
# 1e6 and 1.5e6 are text; JSON and every other reader take them as numbers. Digits alone stay what
# they are to PyYAML.
_FLOAT = re.compile(
    r"^[-+]?(?:(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)$"
)
_FLOAT_TAG = "tag:yaml.org,2002:float"
_FLOAT_BEGINS = list("-+.0123456789")


_MAX_NODES = 200_000
"""Values of a document, each counted as often as its aliases repeat it; 500 fields have 5,000."""


class UniqueKeys(ShallowLoader):
    """A safe loader; of a key that is given twice, PyYAML's takes the last in silence."""

    def get_single_node(self) -> yaml.Node | None:
        """Return the document's node.

        Raises:
            ComposerError: its aliases repeat so much that nobody could read all of it in time.
        """
        node: yaml.Node | None = super().get_single_node()
        if node is not None and _expanded(node, {}) > _MAX_NODES:
            raise yaml.composer.ComposerError(
                None,
                None,
                f"it has more than {_MAX_NODES:,} values, with those that aliases repeat",
            )
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return a mapping.

        Raises:
            ConstructorError: a key is given twice.
        """
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue  # PyYAML refuses a key that is a list or a mapping
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key.value} is given twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _expanded(node: yaml.Node, known: dict[int, int]) -> int:
    """Return the number of a node's values, with those that its aliases repeat.

    Args:
        node: node of a document.
        known: numbers of the nodes that were counted, by identity; 0 for one that is being counted,
            so that a node inside itself ends.
    """
    if id(node) not in known:
        known[id(node)] = 0
        parts: list[yaml.Node] = []
        if isinstance(node, yaml.MappingNode):
            parts = [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            parts = node.value
        known[id(node)] = 1 + sum(_expanded(part, known) for part in parts)
    return known[id(node)]


class QuotedNumbers(yaml.SafeDumper):
    """PyYAML's safe dumper, which quotes text that `UniqueKeys` would read as a number."""


UniqueKeys.add_implicit_resolver(_FLOAT_TAG, _FLOAT, _FLOAT_BEGINS)
QuotedNumbers.add_implicit_resolver(_FLOAT_TAG, _FLOAT, _FLOAT_BEGINS)


def parsed(content: bytes) -> object:
    """Return the document of a file in YAML or JSON.

    JSON is YAML but for tabs, which PyYAML refuses between its values.

    Raises:
        yaml.YAMLError, ValueError, RecursionError: it is neither, or a name is given twice.
    """
    if content.lstrip().startswith(b"{"):
        with suppress(json.JSONDecodeError, UnicodeDecodeError):
            return json.loads(content, object_pairs_hook=_unique)
    return yaml.load(content, Loader=UniqueKeys)  # noqa: S506 - a SafeLoader


def reason(error: Exception) -> str:
    """Return in one line what `parsed` found wrong, with the place; without a full stop."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text.replace('in "<byte string>", line', "at line").removesuffix(".")


def no_mapping(document: object) -> str | None:
    """Return what a document is that has no names, as the rest of a sentence; None: it has some."""
    match document:
        case dict():
            return None
        case None:
            return "is empty"
        case list():
            return "is a list"
        case _:
            return "is a single value"


def _unique(members: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(members)
    if len(found) < len(members):
        names = [name for name, _ in members]
        raise yaml.YAMLError(f"{next(n for n in names if names.count(n) > 1)} is given twice")
    return found

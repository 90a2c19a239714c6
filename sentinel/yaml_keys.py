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


class UniqueKeys(ShallowLoader):
    """A safe loader; of a key that is given twice, PyYAML's takes the last in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return a mapping.

        Raises:
            ConstructorError: a key is given twice.
        """
        keys = [key.value for key, _ in node.value]
        for key, _ in node.value:
            if keys.count(key.value) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key.value} is given twice", key.start_mark
                )
        return super().construct_mapping(node, deep)


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

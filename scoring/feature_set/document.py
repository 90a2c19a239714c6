"""The document of a feature set: `features.json` in a model version's directory.

    {"version": 1,
     "features": [{"name": "amount", "expression": "TX_AMOUNT", "description": "amount moved"}, …],
     "categories": {"CHANNEL": ["pos", "web"]}}

`description`, `words`, `monotone` and `categories` may be left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, get_args

from scoring.errors import FieldError, InvalidFeatureSet
from scoring.feature_set.definition import Direction, FeatureDefinition
from scoring.feature_set.feature_set import FeatureSet

LANGUAGE_VERSION = 1
"""Version of the expressions' meaning; a feature set of another one does not load."""
MAX_FEATURES = 500
MAX_DESCRIPTION_LENGTH = 200
MAX_CATEGORIES = 10_000
"""Values of one open category."""

_FEATURE_KEYS = ("name", "expression", "description", "words", "monotone")
_DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}\Z")
_NAME_RULE = "must be a letter or `_`, then letters, digits and `_`, at most 64 characters"


def to_document(feature_set: FeatureSet) -> dict[str, Any]:
    """Return a feature set as JSON values."""
    document: dict[str, Any] = {
        "version": LANGUAGE_VERSION,
        "features": [_feature_document(definition) for definition in feature_set.definitions],
    }
    if feature_set.categories:
        document["categories"] = {
            name: list(values) for name, values in feature_set.categories.items()
        }
    return document


def _feature_document(definition: FeatureDefinition) -> dict[str, Any]:
    document: dict[str, Any] = {"name": definition.name, "expression": definition.expression}
    if definition.description is not None:
        document["description"] = definition.description
    if definition.words is not None:
        document["words"] = list(definition.words)
    if definition.monotone is not None:
        document["monotone"] = definition.monotone
    return document


def from_document(document: object) -> FeatureSet:
    """Return the feature set of JSON values.

    Its expressions are checked when it is compiled.

    Args:
        document: parsed JSON.

    Raises:
        InvalidFeatureSet: the document is not valid; `errors` has each fault.
    """
    errors: list[FieldError] = []
    if not isinstance(document, dict):
        raise _invalid([FieldError("document", "must be a mapping with version and features")])
    _refuse_unknown(document, ("version", "features", "categories"), "", errors)
    version = document.get("version")
    if version != LANGUAGE_VERSION or isinstance(version, bool):
        errors.append(FieldError("version", f"must be {LANGUAGE_VERSION}"))
    definitions = _definitions(document.get("features"), errors)
    categories = _categories(document.get("categories", {}), errors)
    if errors:
        raise _invalid(errors)
    return FeatureSet(tuple(definitions), categories)


def _invalid(errors: list[FieldError]) -> InvalidFeatureSet:
    return InvalidFeatureSet("The feature set's document is not valid.", errors=tuple(errors))


def _refuse_unknown(
    document: Mapping[object, object], known: tuple[str, ...], path: str, errors: list[FieldError]
) -> None:
    message = f"is unknown; known are {', '.join(known)}"
    errors.extend(FieldError(f"{path}{key}", message) for key in document if key not in known)


def _definitions(features: object, errors: list[FieldError]) -> list[FeatureDefinition]:
    if not isinstance(features, list) or not 1 <= len(features) <= MAX_FEATURES:
        errors.append(FieldError("features", f"must be a list of 1 to {MAX_FEATURES} features"))
        return []
    definitions: list[FeatureDefinition] = []
    for index, feature in enumerate(features):
        definition = _definition(feature, f"features.{index}", errors)
        if definition is None:
            continue
        if any(definition.name == other.name for other in definitions):
            errors.append(FieldError(f"features.{index}.name", "must differ from all before"))
        definitions.append(definition)
    return definitions


def _definition(feature: object, path: str, errors: list[FieldError]) -> FeatureDefinition | None:
    if not isinstance(feature, dict):
        errors.append(FieldError(path, "must be an object"))
        return None
    before = len(errors)
    _refuse_unknown(feature, _FEATURE_KEYS, f"{path}.", errors)
    name, expression = feature.get("name"), feature.get("expression")
    description, words = feature.get("description"), feature.get("words")
    monotone = feature.get("monotone")
    if not isinstance(name, str) or not _NAME.match(name):
        errors.append(FieldError(f"{path}.name", _NAME_RULE))
    if not isinstance(expression, str):
        errors.append(FieldError(f"{path}.expression", "must be a text"))
    if description is not None and not _is_phrase(description):
        message = f"must be a text of 1 to {MAX_DESCRIPTION_LENGTH} characters"
        errors.append(FieldError(f"{path}.description", message))
    if words is not None and not _is_list_of_texts(words):
        message = f"must be a list of 1 to {MAX_CATEGORIES} texts"
        errors.append(FieldError(f"{path}.words", message))
    if monotone is not None and monotone not in _DIRECTIONS:
        errors.append(FieldError(f"{path}.monotone", f"must be {' or '.join(_DIRECTIONS)}"))
    if len(errors) > before:
        return None
    return FeatureDefinition(
        str(name), str(expression), description, None if words is None else tuple(words), monotone
    )


def _categories(categories: object, errors: list[FieldError]) -> dict[str, tuple[str, ...]]:
    if not isinstance(categories, dict):
        errors.append(FieldError("categories", "must be an object"))
        return {}
    learned: dict[str, tuple[str, ...]] = {}
    for name, values in categories.items():
        if not _is_list_of_texts(values) or len(set(values)) != len(values):
            message = f"must be a list of 1 to {MAX_CATEGORIES} different texts"
            errors.append(FieldError(f"categories.{name}", message))
        else:
            learned[str(name)] = tuple(values)
    return learned


def _is_phrase(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= MAX_DESCRIPTION_LENGTH


def _is_list_of_texts(value: object) -> bool:
    return (
        isinstance(value, list)
        and 1 <= len(value) <= MAX_CATEGORIES
        and all(isinstance(item, str) for item in value)
    )

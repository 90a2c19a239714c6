"""The signature in a version's MLmodel file, read without MLflow.

An MLmodel is YAML that declares a model's inputs and outputs
(https://mlflow.org/docs/latest/ml/model/signatures/). The file is not trusted, so its YAML is
composed into nodes and never constructed: tags have no effect, and aliases and merges are not
expanded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import yaml

from registry.names import MLMODEL
from registry.yaml_depth import ShallowLoader
from scoring.errors import ModelRefused
from scoring.event_type.fields import EventType, Kind

_TYPES: Mapping[Kind, str] = {
    "number": "double",
    "integer": "long",
    "boolean": "boolean",
    "category": "string",
    "timestamp": "string",
    "entity": "string",
    "text": "string",
}


def inputs_of(event_type: EventType) -> dict[str, str]:
    """Return MLflow's type of each input column, by the name of its field."""
    return {name: _TYPES[field.kind] for name, field in event_type.kept.items()}


OUTPUTS: Mapping[str, str] = {
    "score": "double",
    "margin": "double",
    "risk_band": "string",
    "decision": "string",
}
"""MLflow's type of each output column."""

MAX_BYTES = 160 * 1024
"""Largest size of an MLmodel file; one that training logs has 3 kB, with 500 fields 80 kB."""


def check_signature(path: Path, event_type: EventType) -> None:
    """Check that an MLmodel file declares the fields of an event type and this release's outputs.

    Args:
        path: MLmodel file.
        event_type: event type of the version's features.

    Raises:
        ModelRefused: the file is no MLmodel, or its signature is missing or different; the message
            lists the differences.
    """
    signature = _signature(path.read_bytes())
    for direction, expected in (("inputs", inputs_of(event_type)), ("outputs", OUTPUTS)):
        differences = _differences(_columns(signature.get(direction), direction), expected)
        if differences:
            raise ModelRefused(f"{MLMODEL}: the signature's {direction} differ: {differences}")


def _signature(content: bytes) -> dict[str, str]:
    """Return the entries of `signature` that are plain text."""
    try:
        # The loader in C would overflow its stack on 100,000 brackets and end the process.
        root = yaml.compose(content, Loader=ShallowLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelRefused(f"{MLMODEL} is not YAML: {reason}") from error
    if not isinstance(root, yaml.MappingNode):
        raise ModelRefused(f"{MLMODEL} is not a YAML mapping")
    for key, value in root.value:
        if key.value == "signature" and isinstance(value, yaml.MappingNode):
            pairs = value.value
            return {k.value: v.value for k, v in pairs if _is_text(k) and _is_text(v)}
    raise ModelRefused(f"{MLMODEL} has no signature; log the model with one")


def _is_text(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode)


def _columns(text: str | None, direction: str) -> dict[str, str]:
    """Parse MLflow's JSON list of columns into type by name."""
    try:
        columns = json.loads(text or "")
        types = {column["name"]: column["type"] for column in columns}
        if len(types) != len(columns) or not all(
            isinstance(word, str) for pair in types.items() for word in pair
        ):
            raise ValueError("not distinct named columns")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ModelRefused(
            f"{MLMODEL}: the signature's {direction} are not a list of named columns"
        ) from error
    return types


def _differences(actual: Mapping[str, str], expected: Mapping[str, str]) -> str:
    missing = [f"{name} is missing" for name in expected if name not in actual]
    other = [
        f"{name} is {actual[name]} and has to be {expected[name]}"
        for name in expected
        if name in actual and actual[name] != expected[name]
    ]
    unknown = [f"{name} is unknown" for name in actual if name not in expected]
    return "; ".join([*missing, *other, *unknown])[:500]

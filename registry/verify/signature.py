"""The signature in a version's MLmodel file, read without MLflow.

An MLmodel is YAML that says what a model takes and gives
(https://mlflow.org/docs/latest/ml/model/signatures/). What comes here was written by others, so
it is composed, never constructed: no tags run, and aliases and merges cost nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import yaml

from registry.names import MLMODEL
from scoring.errors import ModelRefused
from scoring.transaction import WIRE_NAMES

_TYPES = {
    "step": "long",
    "type": "string",
    "amount": "double",
    "name_orig": "string",
    "oldbalance_org": "double",
    "name_dest": "string",
    "oldbalance_dest": "double",
}
INPUTS: Mapping[str, str] = {wire: _TYPES[name] for name, wire in WIRE_NAMES.items()}
"""MLflow's type of each column that a version takes, by its wire name."""
OUTPUTS: Mapping[str, str] = {
    "score": "double",
    "margin": "double",
    "risk_band": "string",
    "decision": "string",
}
"""MLflow's type of each column that a version returns."""

MAX_BYTES = 64 * 1024
"""What training logs has 3 kB."""


def check_signature(path: Path) -> None:
    """Check that an MLmodel file promises the columns that this release takes and gives.

    Raises:
        ModelRefused: it is no MLmodel, has no signature, or another; says what differs.
    """
    signature = _signature(path.read_bytes())
    for direction, ours in (("inputs", INPUTS), ("outputs", OUTPUTS)):
        differences = _differences(_columns(signature.get(direction), direction), ours)
        if differences:
            raise ModelRefused(f"{MLMODEL}: the signature's {direction} differ: {differences}")


def _signature(content: bytes) -> dict[str, str]:
    """Return the entries of `signature` that are plain text."""
    try:
        # Not the loader in C: 100,000 brackets overflow its stack and end the process.
        root = yaml.compose(content, Loader=yaml.SafeLoader)
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
        found = {column["name"]: column["type"] for column in columns}
        if len(found) != len(columns) or not all(
            isinstance(word, str) for pair in found.items() for word in pair
        ):
            raise ValueError("not distinct named columns")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ModelRefused(
            f"{MLMODEL}: the signature's {direction} are not a list of named columns"
        ) from error
    return found


def _differences(theirs: Mapping[str, str], ours: Mapping[str, str]) -> str:
    missing = [f"{name} is missing" for name in ours if name not in theirs]
    other = [
        f"{name} is {theirs[name]} and has to be {ours[name]}"
        for name in ours
        if name in theirs and theirs[name] != ours[name]
    ]
    unknown = [f"{name} is unknown" for name in theirs if name not in ours]
    return "; ".join([*missing, *other, *unknown])[:500]

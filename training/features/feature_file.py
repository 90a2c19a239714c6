"""Feature sets in files: YAML or JSON."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent

import yaml

from scoring.errors import InvalidFeatureSet
from scoring.feature_set.document import from_document, to_document
from scoring.feature_set.feature_set import FeatureSet
from sentinel.sentences import shown
from sentinel.yaml_keys import QuotedNumbers, no_mapping, parsed, reason
from training.errors import TrainingError


def read_feature_set(path: Path) -> FeatureSet:
    """Return the feature set of a file.

    Args:
        path: file in YAML or JSON.

    Raises:
        TrainingError: the file cannot be read, or is no feature set; names each fault.
    """
    try:
        document = parsed(path.read_bytes())
    except OSError as error:
        raise TrainingError(f"{shown(path)} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise TrainingError(f"{shown(path)} is not YAML: {reason(error)}.") from error
    if what := no_mapping(document):
        raise TrainingError(
            f"{shown(path)} {what}; a feature set is a mapping with version and features, such as "
            "`python -m training features suggest` writes."
        )
    try:
        return from_document(document)
    except InvalidFeatureSet as error:
        raise TrainingError(f"{shown(path)} is not a feature set:{faults(error)}") from error


def faults(error: InvalidFeatureSet) -> str:
    """Return lines for each fault of a feature set; those of an expression show it."""
    return "".join(
        f"\n  {one.field}\n{indent(one.message, '    ')}"
        if "\n" in one.message
        else f"\n  {one.field} {one.message}"
        for one in error.errors
    )


def as_yaml(feature_set: FeatureSet) -> str:
    """Return a feature set as YAML that `read_feature_set` reads."""
    text: str = yaml.dump(
        to_document(feature_set),
        Dumper=QuotedNumbers,
        sort_keys=False,
        allow_unicode=True,
        width=100,
    )
    return text

"""Check what follows the trees of a booster file: importances and the parameters of the training.

They decide nothing, but LightGBM reads them when it loads the file: a line that is no parameter is
a segmentation fault (4.6.0), so each has to be one that it writes.
"""

from __future__ import annotations

import re

MAX_BYTES = 1024 * 1024
"""Bytes behind the trees; a booster of 500 features has 30 kB."""

_SECTIONS = re.compile(
    rb"end of trees\n"
    rb"(?:\nfeature_importances:\n(?:[^\n=]+=\d+\n)*)?"
    rb"(?:\nparameters:\n(?:\[\w+: (?:[^\n\[\]]|\[[^\n\[\]]*\])*\]\n)*\nend of parameters\n)?"
    rb"(?:\npandas_categorical:(?:null|\[\]))?\n*"
)


def check_tail(tail: bytes) -> None:
    """Check what follows the trees, from the line `end of trees`.

    Raises:
        ValueError: it is not what LightGBM writes.
    """
    if len(tail) > MAX_BYTES or not _SECTIONS.fullmatch(tail):
        raise ValueError("what follows the trees is not what LightGBM writes; the file was changed")

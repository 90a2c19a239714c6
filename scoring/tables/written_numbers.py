"""How numbers and truth are written in a file."""

from __future__ import annotations

import re

NUMBER = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
"""Digits of ASCII with a decimal point, and an exponent. Python's float() also takes `1_000`,
full-width digits and `infinity`."""

BOOLEANS = {
    **dict.fromkeys(("1", "1.0", "true", "t", "yes", "y"), True),
    **dict.fromkeys(("0", "0.0", "false", "f", "no", "n"), False),
}
"""Value of the words for yes and no, in lower case."""

_NUMBER = re.compile(NUMBER, re.ASCII)


def is_number(text: str) -> bool:
    """Return whether a text is a number and nothing else."""
    return _NUMBER.fullmatch(text) is not None

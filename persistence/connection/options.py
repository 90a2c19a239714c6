"""The settings in libpq's parameter `options`, which a pooler does not pass on to Postgres."""

from __future__ import annotations

import re

_WORD = re.compile(r"(?:\\.|[^\s\\])+", re.DOTALL)
_SETTING = re.compile(r"(?:-c\s*|--)([A-Za-z_][\w.-]*)=(.*)", re.DOTALL)


def settings_in(options: str) -> dict[str, str]:
    r"""Return the settings of command-line options such as `-c search_path=fraud`.

    Postgres splits them at spaces that no backslash precedes:
    https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-OPTIONS

    Raises:
        ValueError: an option is not a setting.
    """
    words = [re.sub(r"\\(.)", r"\1", word, flags=re.DOTALL) for word in _WORD.findall(options)]
    settings: dict[str, str] = {}
    remaining = iter(words)
    for word in remaining:
        option = f"-c{next(remaining, '')}" if word == "-c" else word
        setting = _SETTING.fullmatch(option)
        if setting is None:
            raise ValueError("an option is not of the form -cNAME=VALUE")
        settings[setting[1].replace("-", "_")] = setting[2]
    return settings

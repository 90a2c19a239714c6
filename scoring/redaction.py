"""Remove logins and secrets from URLs before they are printed, logged or stored."""

from __future__ import annotations

import re

# The last `@` counts: a password may contain `@`, `/`, `?` and `#` that nobody encoded.
_LOGIN = re.compile(r"([a-z][a-z0-9+.-]*://)\S*@", re.IGNORECASE)
_NAME = r"[\w.-]*(?:pass|pwd|secret|token|key|credential|signature)[\w.-]*"
_QUERY = re.compile(rf"([?&;]{_NAME}=)[^&;\s'\"]*", re.IGNORECASE)
_CONNINFO = re.compile(r"\b((?:ssl)?password\s*=\s*)('(?:[^'\\]|\\.)*'|[^\s&;'\"]+)", re.IGNORECASE)


def redacted(text: str) -> str:
    """Return a text whose URLs have no user and no password.

    Values of query parameters and of a connection string that are secrets by their name become
    `***`.
    """
    if "@" in text:
        text = _LOGIN.sub(r"\1", text)
    if "=" in text:
        text = _CONNINFO.sub(r"\1***", _QUERY.sub(r"\1***", text))
    return text


def shown_url(url: str) -> str:
    """Return the scheme, host, port and path of a URL, which may be shown and stored.

    The user, the password, the query and the fragment are left out. The URL need not be valid.
    """
    text = url.strip()
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "", text
    host_and_path = re.split("[?#]", rest.rpartition("@")[2], maxsplit=1)[0]
    return f"{scheme}{separator}{host_and_path}"

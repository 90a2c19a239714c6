"""What a page shows once after a form: a new key, a one-time link.

The form is answered with a redirect, so that a reload asks for the page and does not repeat the
act. In between, the secret is in a cookie that only this page gets, that no script reads, and that
is encrypted for the session of the person (JWE, RFC 7516); the page removes it. The server keeps
nothing, and no address contains it. Encryption loads a library that few requests need, so it is
imported where it is used.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING

import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from console.access import Visitor, is_secure

if TYPE_CHECKING:
    from joserfc.jwk import OctKey

COOKIE = "sentinel_shown_once"
_SECONDS = 60
"""Time in which the browser follows the redirect."""


def redirect_to_show(
    request: Request, visitor: Visitor, path: str, values: Mapping[str, str]
) -> Response:
    """Return a redirect to a page that shows some values once.

    Args:
        request: request of the form.
        visitor: who sent it; nobody else can read the values.
        path: path of the page.
        values: what the page shows.
    """
    from joserfc import jwe

    header = {"alg": "dir", "enc": "A256GCM"}
    sealed = jwe.encrypt_compact(header, orjson.dumps(dict(values)), _key(visitor))
    response = RedirectResponse(path, HTTPStatus.SEE_OTHER)
    response.set_cookie(
        COOKIE,
        sealed,
        max_age=_SECONDS,
        path=path,
        secure=is_secure(request),
        httponly=True,
        samesite="strict",
    )
    return response


def values_to_show(request: Request, visitor: Visitor) -> dict[str, str]:
    """Return what the page shows this once; empty where there is nothing."""
    sealed = request.cookies.get(COOKIE)
    if not sealed:
        return {}
    from joserfc import jwe
    from joserfc.errors import JoseError

    try:
        content = jwe.decrypt_compact(sealed, _key(visitor)).plaintext or b"{}"
        return {str(name): str(value) for name, value in orjson.loads(content).items()}
    except (JoseError, ValueError):  # another session's, or not ours
        return {}


def forget_shown(request: Request, response: Response, path: str) -> Response:
    """Remove the cookie of a page that has shown its values."""
    if COOKIE in request.cookies:
        response.delete_cookie(
            COOKIE, path=path, secure=is_secure(request), httponly=True, samesite="strict"
        )
    return response


def _key(visitor: Visitor) -> OctKey:
    from joserfc.jwk import OctKey

    key = hashlib.blake2b(visitor.token.encode(), digest_size=32, person=b"sentinel once")
    return OctKey.import_key(key.digest())

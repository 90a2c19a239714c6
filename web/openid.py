"""Sign-in at an OpenID Connect provider: the authorization code flow with PKCE.

OpenID Connect Core 1.0, section 3.1, https://openid.net/specs/openid-connect-core-1_0.html, and
RFC 7636. Signatures and claims are checked by joserfc and Authlib.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import httpx

if TYPE_CHECKING:
    from joserfc.jwk import KeySet

from scoring.errors import SentinelError, Unauthenticated

SCOPE = "openid email profile"
_DISCOVERY = "/.well-known/openid-configuration"
_KEEP_S = 3600.0
"""Seconds that the provider's description and keys are kept."""
_NEW_KEYS_S = 60.0
"""Age from which the keys are read again for a token that none of them fits."""
_TIMEOUT_S = 5.0
_LEEWAY_S = 60
"""Most seconds that the clocks of the provider and of this machine may differ."""
# Never `none`, and no algorithm with a shared secret.
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")


class ProviderUnavailable(SentinelError):
    """The OpenID Connect provider does not answer, or not as it should; only pages show it."""

    status = 503
    title = "The sign-in provider does not answer"


class IdentityRefused(Unauthenticated):
    """The provider's answer does not identify a person."""


@dataclass(frozen=True, slots=True)
class SignInAttempt:
    """What has to be the same when the browser comes back from the provider.

    Attributes:
        state: value that the provider returns with the code.
        nonce: value that the provider puts into the token.
        verifier: secret of PKCE, which the provider has the hash of.
    """

    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)

    def document(self) -> dict[str, str]:
        """Return the attempt as JSON values."""
        return asdict(self)


def new_attempt() -> SignInAttempt:
    """Return an attempt of random values."""
    return SignInAttempt(*(secrets.token_urlsafe(32) for _ in range(3)))


class OpenIdProvider:
    """A provider of identities; its methods block, and several threads may call them.

    Args:
        issuer: address of the provider, as its tokens name it.
        client_id: id under which the provider knows this service.
        client_secret: secret of that id.
        name: name of the provider on the button.
        now_s: monotonic clock, in seconds.
    """

    def __init__(
        self,
        issuer: str,
        client_id: str,
        client_secret: str,
        name: str,
        now_s: Callable[[], float] = monotonic,
    ) -> None:
        self.name = name
        self._issuer = issuer
        self._client_id = client_id
        self._client_secret = client_secret
        self._now_s = now_s
        self._lock = Lock()
        self._known: tuple[float, dict[str, Any], KeySet] | None = None

    def authorization_url(self, redirect_uri: str, attempt: SignInAttempt) -> str:
        """Return the address at the provider to which the browser is sent.

        Raises:
            ProviderUnavailable: the provider does not describe itself.
        """
        # Imported late here and below: 0.3 s and 15 MB, for services that have a provider.
        from authlib.oauth2.rfc7636 import create_s256_code_challenge

        endpoint = self._description()[0]["authorization_endpoint"]
        parameters = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": redirect_uri,
            "scope": SCOPE,
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": create_s256_code_challenge(attempt.verifier),
            "code_challenge_method": "S256",
        }
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(parameters)}"

    def verified_email(self, redirect_uri: str, code: str, attempt: SignInAttempt) -> str:
        """Return the e-mail of the person that the provider sent back with a code.

        Args:
            redirect_uri: address to which the provider sent the browser.
            code: code of the address's query.
            attempt: attempt with which the browser left.

        Raises:
            IdentityRefused: the code or the token is not valid, or the provider does not vouch for
                the e-mail.
            ProviderUnavailable: the provider does not answer.
        """
        description, keys = self._description()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": attempt.verifier,
        }
        with _translate_errors():
            reply = httpx.post(
                description["token_endpoint"],
                data=form,
                auth=httpx.BasicAuth(self._client_id, self._client_secret),
                timeout=_TIMEOUT_S,
            )
        if reply.is_client_error:
            raise IdentityRefused("The provider refuses the code: begin the sign-in again.")
        with _translate_errors():
            token = reply.raise_for_status().json()["id_token"]
        try:
            claims = self._claims(token, keys, attempt.nonce)
        except IdentityRefused:
            # The provider may sign with a key that it did not have when its keys were read.
            if not self._forget_old(_NEW_KEYS_S):
                raise
            claims = self._claims(token, self._description()[1], attempt.nonce)
        if claims.get("email_verified") is not True or not claims.get("email"):
            raise IdentityRefused("The provider does not say that your e-mail is verified.")
        return str(claims["email"])

    def _claims(self, token: str, keys: KeySet, nonce: str) -> dict[str, Any]:
        from authlib.oidc.core import CodeIDToken
        from joserfc import jwt
        from joserfc.errors import JoseError

        try:
            decoded = jwt.decode(token, keys, algorithms=list(_ALGORITHMS))
            options = {
                "iss": {"essential": True, "value": self._issuer},
                "aud": {"essential": True, "value": self._client_id},
            }
            claims = CodeIDToken(
                decoded.claims,
                decoded.header,
                options,
                {"nonce": nonce, "client_id": self._client_id},
            )
            claims.validate(leeway=_LEEWAY_S)
        except (JoseError, ValueError) as error:
            raise IdentityRefused(f"The provider's token is not valid: {error}.") from error
        return dict(claims)

    def _forget_old(self, age_s: float) -> bool:
        """Forget what is known of the provider if it is older; return whether it was."""
        with self._lock:
            is_old = self._known is not None and self._known[0] < self._now_s() - age_s
            if is_old:
                self._known = None
            return is_old

    def _description(self) -> tuple[dict[str, Any], KeySet]:
        """Return the provider's description of itself and its keys."""
        from joserfc.jwk import KeySet

        with self._lock:
            if self._known is None or self._known[0] < self._now_s() - _KEEP_S:
                with _translate_errors():
                    found = _get(self._issuer.rstrip("/") + _DISCOVERY)
                    if found["issuer"] != self._issuer:
                        raise ProviderUnavailable(
                            f"The provider calls itself {found['issuer']}, not {self._issuer}."
                        )
                    keys = KeySet.import_key_set(_get(found["jwks_uri"]))
                self._known = (self._now_s(), found, keys)
            return self._known[1], self._known[2]


def _get(url: str) -> Any:  # noqa: ANN401 - JSON
    return httpx.get(url, timeout=_TIMEOUT_S).raise_for_status().json()


@contextmanager
def _translate_errors() -> Iterator[None]:
    from joserfc.errors import JoseError

    try:
        yield
    except httpx.HTTPError as error:
        raise ProviderUnavailable(f"The sign-in provider does not answer: {error}.") from error
    except (KeyError, ValueError, JoseError) as error:
        raise ProviderUnavailable("The sign-in provider's answer cannot be read.") from error

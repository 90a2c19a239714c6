"""Passwords: hashed with Argon2id, and the few rules that NIST keeps.

SP 800-63B, section 3.1.1.2: length counts, composition rules do not, and a password may not be one
that an attacker tries first. https://pages.nist.gov/800-63-4/sp800-63b.html
"""

from __future__ import annotations

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from scoring.errors import FieldError, InvalidRequest

MIN_LENGTH = 12
MAX_LENGTH = 128
MIN_DISTINCT = 5
"""Fewest different characters: `aaaaaaaaaaaa` is among what an attacker tries first."""

# OWASP's first choice of parameters for Argon2id: 46 MiB, one pass, one lane, which take 40 ms of
# CPU. https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html
_HASHER = PasswordHasher(time_cost=1, memory_cost=47_104, parallelism=1, type=Type.ID)
_NOBODYS = _HASHER.hash("the password of nobody's account")


def hash_password(password: str) -> str:
    """Return the hash under which a password is stored, with its parameters and salt."""
    return _HASHER.hash(password)


def is_password(stored: str | None, password: str) -> bool:
    """Return whether a password is the stored one, in the same time where none is stored.

    Args:
        stored: hash of `hash_password`; None for an account without password, or no account.
        password: password that a person typed.
    """
    try:
        return _HASHER.verify(stored or _NOBODYS, password) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


def check_new_password(password: str, *known: str) -> None:
    """Refuse a password that is too short, too long or guessed at once.

    Args:
        password: password that a person chose.
        known: what an attacker knows of the account: its e-mail, its name, the tenant.

    Raises:
        InvalidRequest: the password is refused; the field is `password`.
    """
    if problem := _problem(password, known):
        raise InvalidRequest(f"The password {problem}.", errors=(FieldError("password", problem),))


def _problem(password: str, known: tuple[str, ...]) -> str | None:
    if len(password) < MIN_LENGTH:
        return f"has {len(password)} characters; use at least {MIN_LENGTH}"
    if len(password) > MAX_LENGTH:
        return f"has more than {MAX_LENGTH} characters"
    if len(set(password)) < MIN_DISTINCT:
        return f"has fewer than {MIN_DISTINCT} different characters"
    # What is left without the words an attacker knows has to be long enough by itself.
    rest = password.lower()
    words = {part for text in known for part in text.lower().replace("@", " ").split()}
    for word in sorted(words | {"password", "sentinel", "123456"}, key=len, reverse=True):
        rest = rest.replace(word, "")
    if len(rest) < MIN_LENGTH // 2:
        return "is mostly a word that is guessed at once: a name, your e-mail or `password`"
    return None

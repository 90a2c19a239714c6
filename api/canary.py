"""Which accounts a canary decides: a fixed share of them, the same ones in every process.

An account's place in [0, 100) is a hash of it and of the version. Growing the percentage keeps the
accounts that were in; the next version draws others.
"""

from __future__ import annotations

from hashlib import blake2b

from scoring.prediction import ModelVersion

_FULL = 2.0**64


def is_canary(version: ModelVersion, percent: float, name_orig: str) -> bool:
    """Whether the challenger decides this account's payments.

    Args:
        version: the challenger. percent: its share of accounts, 0 (none) to 100 (all).
        name_orig: the account that pays.
    """
    key = f"{version.name}/{version.version}/{name_orig}".encode()
    place = int.from_bytes(blake2b(key).digest()[:8], "big") / _FULL * 100.0
    # The division rounds: the last 2^10 hashes come out as 100.
    return place < percent or percent >= 100.0


def percent_from(text: str) -> float:
    """Read the tag that sets the share.

    Raises:
        ValueError: it is not a number from 0 to 100; says so in a sentence.
    """
    try:
        percent = float(text)
    except ValueError:
        percent = -1.0
    if not 0.0 <= percent <= 100.0:
        raise ValueError(f"the canary share {text[:40]!r} is not a number from 0 to 100")
    return percent

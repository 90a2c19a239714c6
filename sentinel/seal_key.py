"""The key that signs the heads of the sealed logs, in a file that only its owner may read."""

from __future__ import annotations

from pathlib import Path

from persistence.sealing.errors import SealError
from persistence.sealing.notes import Signer, Verifier
from sentinel.home import private
from sentinel.settings import Settings


def make_key(path: Path, name: str) -> Signer:
    """Make a key and write it to a new file.

    Raises:
        SealError: there is a file already, the file cannot be written, or no key has such a name.
    """
    signer, kept = Signer.generate(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(path, "x", encoding="utf-8", opener=private) as file:
            file.write(kept)
    except FileExistsError as error:
        raise SealError(
            f"{path} has a key already. Heads that it signed could not be verified with another"
            " one: keep it, or set SENTINEL_SEAL_KEY to another file."
        ) from error
    except OSError as error:
        raise SealError(f"The key {path} cannot be written: {error}.") from error
    return signer


def read_key(path: Path) -> Signer:
    """Return the signer with the key of a file.

    Raises:
        SealError: the file cannot be read, or has no key.
    """
    try:
        return Signer.parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SealError(
            f"The key {path} cannot be read: {error}. `sentinel seal init` makes one;"
            " SENTINEL_SEAL_KEY names its file."
        ) from error


def chosen_verifier(settings: Settings, given: str | None) -> Verifier:
    """Return the verifier of a public key, or of a file with one; None: of the sealing key.

    Raises:
        SealError: it is no public key, or the sealing key cannot be read.
    """
    if given is None:
        return Verifier(read_key(settings.seal_key_path).verifier)
    path = Path(given)
    try:
        return Verifier(path.read_text(encoding="utf-8") if path.is_file() else given)
    except (OSError, UnicodeDecodeError) as error:
        raise SealError(f"The public key {path} cannot be read: {error}.") from error

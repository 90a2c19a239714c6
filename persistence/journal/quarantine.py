"""Try records of the quarantine again, once the reason why Postgres refused them is gone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import orjson
import psycopg
from sqlalchemy.exc import DBAPIError

from persistence.journal import files
from persistence.journal.drainer import Drainer
from persistence.journal.frames import Kind
from persistence.journal.records import read_record


@dataclass(frozen=True, slots=True)
class TriedAgain:
    """What became of a file of the quarantine.

    Attributes:
        path: file.
        fault: why it is still there; None where its decisions are stored and it is gone.
    """

    path: Path
    fault: str | None


def try_again(root: Path, drainer: Drainer) -> list[TriedAgain]:
    """Store the records of the quarantine that Postgres takes now, and remove their files.

    Args:
        root: folder of all journals of this machine.
        drainer: drainer of any journal.

    Raises:
        StoreUnavailable: Postgres is away.
    """
    tried = []
    for folder in files.folders(root):
        for path in files.quarantined(folder):
            if path.suffix != ".json":
                tried.append(TriedAgain(path, "it is damaged: no record can be read from it"))
                continue
            fault = _store(path, drainer)
            if fault is None:
                path.unlink()
                files.sync_folder(path.parent)
            tried.append(TriedAgain(path, fault))
    return tried


def _store(path: Path, drainer: Drainer) -> str | None:
    try:
        document = orjson.loads(path.read_bytes())
        record = read_record(
            document["number"],
            Kind[document["kind"].upper()],
            orjson.dumps(document["record"]),
            document["definitions"],
        )
        superseded = drainer.store_record(record)
    except (psycopg.Error, DBAPIError) as error:
        return f"Postgres refuses it: {str(error).strip().partition(chr(10))[0]}"
    except (KeyError, ValueError, TypeError) as error:
        return f"it cannot be read: {error!r}"
    return "another decision has its external_id" if superseded else None

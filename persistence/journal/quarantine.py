"""Set records aside that Postgres does not take, and try them again once the reason is gone.

The quarantine is on the disk of the journal, and bounded. What it does not take stays in the
journal.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import NamedTuple
from uuid import UUID

import orjson
import psycopg
from sqlalchemy.exc import DBAPIError

from persistence.journal import files
from persistence.journal.frames import Kind
from persistence.journal.journal import Journal
from persistence.journal.places import Location
from persistence.journal.records import Record, read_record
from persistence.outage import Outage

logger = logging.getLogger("sentinel.journal")

AGAIN_AFTER_S = 10.0
"""Pause before the quarantine is tried again that has not taken a record."""


class Aside(NamedTuple):
    """A record that Postgres does not take, or bytes that are none.

    Attributes:
        outcome: what becomes of its decisions, of the drainer's OUTCOMES.
        decisions: number of decisions that Postgres does not have.
        prediction_ids: their ids.
        reason: sentence; None where no record can be read.
    """

    outcome: str
    decisions: int
    prediction_ids: Sequence[UUID] = ()
    reason: str | None = None


class Refusals:
    """Sets records of a journal aside, and remembers those that stay in it meanwhile.

    Args:
        journal: journal of the records.
        outcomes: number of decisions by what became of them, which is added to.
    """

    def __init__(self, journal: Journal, outcomes: Counter[str]) -> None:
        self._journal = journal
        self._outcomes = outcomes
        self._kept: dict[Location, Aside | None] = {}
        self._again_at_s = 0.0
        self._outage = Outage(logger, "the quarantine of the journal")

    @property
    def kept(self) -> Collection[Location]:
        """Places of the records that stay in the journal meanwhile."""
        return self._kept.keys()

    def set_aside(self, location: Location, aside: Aside) -> None:
        """Write a record to the quarantine, or remember it where that takes none."""
        if self._kept or not self._write(location, aside):
            self._kept[location] = aside

    def keep(self, location: Location, error: OSError) -> None:
        """Remember a record that the disk does not give back now.

        Args:
            location: where the record is.
            error: fault of the disk.
        """
        self._kept[location] = None
        self._goes_on(f"a record cannot be read and stays in the journal: {error}")

    def forget(self, locations: Iterable[Location]) -> None:
        """Forget records that Postgres is asked again to take."""
        for location in locations:
            self._kept.pop(location, None)

    def try_when_due(self) -> None:
        """Do `try_again`, unless the quarantine has been tried a moment ago."""
        if monotonic() >= self._again_at_s:
            self.try_again()

    def try_again(self) -> None:
        """Set aside what was kept, as far as the quarantine takes it, and remove it."""
        for location, aside in list(self._kept.items()):
            if aside is None:
                del self._kept[location]
                self._journal.requeue(location)
                continue
            if not self._write(location, aside):
                return
            del self._kept[location]
            self._journal.remove_kept(location)
        self._outage.is_over()

    def _write(self, location: Location, aside: Aside) -> bool:
        """Write a record to the quarantine; return whether that has taken it."""
        try:
            path = self._write_file(location, aside)
        except OSError as error:
            self._goes_on(f"it takes no record, so they stay in the journal: {error}")
            return False
        logger.warning("%d decisions of the journal are set aside (%s)", aside.decisions, path)
        self._outcomes[aside.outcome] += aside.decisions
        return True

    def _goes_on(self, reason: str) -> None:
        self._outage.goes_on(reason)
        self._again_at_s = monotonic() + AGAIN_AFTER_S

    def _write_file(self, location: Location, aside: Aside) -> Path:
        if aside.reason is not None:
            try:
                return self._journal.set_aside(location, aside.prediction_ids, aside.reason)
            except ValueError:
                logger.exception("record %d of %s cannot be read", location.number, location.path)
        return self._journal.set_bytes_aside(location)


@dataclass(frozen=True, slots=True)
class TriedAgain:
    """What became of a file of the quarantine.

    Attributes:
        path: file.
        fault: why it is still there; None where its decisions are stored and it is gone.
    """

    path: Path
    fault: str | None


def try_again(root: Path, store: Callable[[Record], bool]) -> list[TriedAgain]:
    """Store the records of the quarantine that Postgres takes now, and remove their files.

    Args:
        root: folder of all journals of this machine.
        store: `store_record` of any drainer.

    Raises:
        StoreUnavailable: Postgres is away.
    """
    tried = []
    for folder in files.folders(root):
        for path in files.quarantined(folder):
            if path.suffix != ".json":
                tried.append(TriedAgain(path, "it is damaged: no record can be read from it"))
                continue
            fault = _store(path, store)
            if fault is None:
                path.unlink()
                files.sync_folder(path.parent)
            tried.append(TriedAgain(path, fault))
    return tried


def _store(path: Path, store: Callable[[Record], bool]) -> str | None:
    try:
        document = orjson.loads(path.read_bytes())
        record = read_record(
            document["number"],
            Kind[document["kind"].upper()],
            orjson.dumps(document["record"]),
            document["definitions"],
        )
        superseded = store(record)
    except (psycopg.Error, DBAPIError) as error:
        return f"Postgres refuses it: {str(error).strip().partition(chr(10))[0]}"
    except (KeyError, ValueError, TypeError) as error:
        return f"it cannot be read: {error!r}"
    return "another decision has its external_id" if superseded else None

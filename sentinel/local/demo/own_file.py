"""A file of somebody's own events: its event type, which a person should look at."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from scoring.event_type.document import to_document
from scoring.event_type.fields import EventType
from scoring.printable import printable
from sentinel.event_type_file import read_event_type
from sentinel.home import write_private
from sentinel.local.demo import state
from sentinel.local.demo.errors import DemoError
from sentinel.local.terminal import step
from sentinel.sentences import shown

EVENT_TYPE = "demo.event-type.yaml"
_DRAFTED = "demo.draft.json"


@dataclass(frozen=True, slots=True)
class OwnFile:
    """A file, and the names of two of its columns.

    Attributes:
        path: CSV or Parquet file.
        label: column of the labels.
        time: column of the times; None for the one that looks most like it.
    """

    path: Path
    label: str
    time: str | None

    @property
    def fingerprint(self) -> state.Fingerprint:
        """Values that identify the file as it is, and its columns."""
        return state.fingerprint(self.path, self.label, self.time)


@dataclass(frozen=True, slots=True)
class Described:
    """A file with its event type.

    Attributes:
        file: the file.
        event_type: its event type, from the file in the demo's home or inferred.
        draft: YAML of an event type that was inferred; None where the file in the home has it.
        unread_dates: columns of an inferred one with dates that are not read.
    """

    file: OwnFile
    event_type: EventType
    draft: str | None
    unread_dates: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> state.Fingerprint:
        """Values that identify the file, and the event type that it is read by."""
        document = json.dumps(to_document(self.event_type), sort_keys=True)
        digest = hashlib.sha256(document.encode()).hexdigest()
        return self.file.fingerprint | {"event_type": digest}

    def keep(self, home: Path) -> Path:
        """Write a draft into the home; return the path of the event type.

        A person may change the file: the next run with the same data reads it.
        """
        path = home / EVENT_TYPE
        if self.draft is not None:
            write_private(path, self.draft)
            write_private(home / _DRAFTED, json.dumps(self.file.fingerprint) + "\n")
        return path

    def require_features(self) -> None:
        """Check that the features that are suggested for the event type are not too many.

        Raises:
            TrainingError: they are.
        """
        # Imported late: Arrow takes 0.3 s to load.
        from training.features.of_training import suggested

        suggested(self.event_type)

    def notes(self, path: str) -> list[str]:
        """Return sentences for the person whose file it is.

        Args:
            path: path of the event type, for people.
        """
        event_type, source = self.event_type, shown(self.file.path.name)
        ignored = [printable(field.name) for field in event_type.fields if field.ignored]
        notes = [
            f"Look at {path}, the event type that was inferred from {source}: its comments name "
            "what the file leaves open. Change it where it is wrong, and run this again."
            if self.draft is not None
            else f"The event type of {source} is that of {path}."
        ]
        if ignored:
            notes.append(f"Ignored columns, with the reasons in that file: {', '.join(ignored)}.")
        if "time" not in event_type.roles:
            dates = " or ".join(map(printable, self.unread_dates))
            way = (
                f"if it is {dates}, write its dates as that file shows"
                if dates
                else "TIME=column names it"
            )
            notes.append(
                f"{source} has no column that was recognised as the time of the events, so windows "
                f"over past events are left out; {way}."
            )
        elif not any(field.kind == "entity" for field in event_type.kept.values()):
            notes.append(
                f"{source} has no column that was recognised as the id of a payer, a card or "
                "another entity, so windows over its past events are left out; make it an entity "
                "in that file."
            )
        if "amount" not in event_type.roles:
            notes.append(
                "No column was recognised as the amount; give it the role amount in that file, if "
                "there is one."
            )
        return notes


def describe(home: Path, file: OwnFile) -> Described:
    """Return a file with its event type: the one in the home, if it is this file's, or inferred.

    Args:
        home: directory of the demo's state; may not exist yet.
        file: file as it is now.

    Raises:
        DemoError: the file has too few frauds, or the event type in the home another label.
        TrainingError: the file cannot be read, or lacks a column.
        EventTypeFileError: the event type in the home is not valid.
    """
    path = home / EVENT_TYPE
    if path.exists() and state.read_record(home / _DRAFTED) == file.fingerprint:
        event_type = read_event_type(path)
        if event_type.label != file.label:
            raise DemoError(
                f"{shown(path)} has the label {event_type.label}, and LABEL is {file.label}: make "
                "them the same, or delete that file."
            )
        return Described(file, event_type, None)
    # Imported late: Arrow takes 0.3 s to load.
    from training.event_types.draft import write_draft
    from training.event_types.infer import infer

    with step(f"Inferring the event type of {shown(file.path.name)}"):
        draft = infer(file.path, file.label, file.time)
    _require_both_labels(file, draft.rows, draft.frauds)
    return Described(file, draft.event_type, write_draft(draft), draft.unread_dates)


def _require_both_labels(file: OwnFile, rows: int, frauds: int) -> None:
    """Refuse labels of which no split has enough; the training checks each part of its split."""
    from training.data.split import MIN_FRAUDS, SHARES

    least = MIN_FRAUDS * len(SHARES)
    source, label = shown(file.path.name), printable(file.label)
    for count, others, what in (
        (frauds, "legitimate", "fraud"),
        (rows - frauds, "fraud", "legitimate"),
    ):
        if count == 0:
            raise DemoError(
                f"All {rows:,} rows of {source} are {others} by {label}; nothing can be learned "
                "from labels that are all the same."
            )
        if count < least:
            raise DemoError(
                f"{count:,} of the {rows:,} rows of {source} are {what} by {label}; at least "
                f"{least} are needed, {MIN_FRAUDS} in each of the {len(SHARES)} parts that a "
                "training splits them into."
            )

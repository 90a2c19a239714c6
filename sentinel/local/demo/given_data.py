"""The data that the user names for the demo, checked before anything starts."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from sentinel.local.demo import state
from sentinel.local.demo.errors import DemoError
from sentinel.local.demo.own_file import Described, OwnFile, describe


class GivenData(NamedTuple):
    """What the demo is about to train on.

    Attributes:
        about: what identifies the file as it is now; None is the simulator.
        own: a file of the user's own with its event type; None: PaySim's schema.
    """

    about: state.Fingerprint | None
    own: Described | None


def check(home: Path, data: Path | None, label: str | None, time_column: str | None) -> GivenData:
    """Return what the user's arguments name.

    Args:
        home: directory of the demo's state.
        data: file that the model is trained on; None: the simulator.
        label: column of the file's labels; None: it is in the PaySim schema.
        time_column: column of the events' times; None: the most likely one.

    Raises:
        DemoError, TrainingError: there is no such file, or it cannot be used; the message gives
            the reason.
    """
    if time_column is not None and label is None:
        raise DemoError(
            f"TIME={time_column} is a column of a file of your own: name the column of its "
            "labels with LABEL, and the file with DATA."
        )
    if data is None:
        if label is not None:
            raise DemoError(f"LABEL={label} is a column of a file: name the file with DATA.")
        return GivenData(None, None)
    path = data.expanduser().resolve()
    if not path.is_file():
        what = "is a directory" if path.is_dir() else "there is no such file"
        raise DemoError(f"DATA={data}: {what}.")
    if label is not None:
        own = describe(home, OwnFile(path, label, time_column))
        return GivenData(own.fingerprint, own)
    about = state.fingerprint(path)
    if state.trained_on(home) != about:
        # Imported late: pyarrow takes 0.3 s to load.
        from training.data.loading import check as check_columns
        from training.data.table_file import MissingColumns

        try:
            check_columns(path)
        except MissingColumns as error:
            raise DemoError(
                f"{error} For columns of your own, name that of the labels with LABEL=column."
            ) from error
    return GivenData(about, None)

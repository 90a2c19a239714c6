"""The past events of one entity as columns, to which later ones are added."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from scoring.columns import FloatArray, TextColumn
from scoring.windows.events import IntArray
from scoring.windows.records import ReadRecords


@dataclass(frozen=True, slots=True)
class PastColumns:
    """Columns of m past events of an entity, by time.

    Attributes:
        ids: halves of each event's id, int64 (m, 2).
        time_us: time in microseconds since 1970, (m,).
        numbers: numbers and timestamps by field, NaN where missing, float64 (m,).
        codes: texts by field as codes, -1 where missing, (m,).
        texts: code of each text, in UTF-8, by field.
    """

    ids: IntArray
    time_us: IntArray
    numbers: Mapping[str, FloatArray]
    codes: Mapping[str, IntArray]
    texts: Mapping[str, Mapping[bytes, int]]

    @classmethod
    def of(cls, read: ReadRecords) -> PastColumns:
        """Return the columns of records of one entity."""
        nothing = np.empty(0, np.int64)
        empty = cls(
            np.empty((0, 2), np.int64),
            nothing,
            {name: np.empty(0) for name in read.numbers},
            dict.fromkeys(read.codes, nothing),
            {name: {} for name in read.codes},
        )
        return empty.with_events(read)

    def with_events(self, read: ReadRecords) -> PastColumns:
        """Return the columns with further records of the entity."""
        time_us = np.concatenate([self.time_us, read.time_us])
        order = np.argsort(time_us, kind="stable")
        texts = {name: dict(own) for name, own in self.texts.items()}
        codes = {}
        for name, own in texts.items():
            code_of = [own.setdefault(value, len(own)) for value in read.values(name)]
            found = translated(read.codes[name].codes, np.array(code_of, np.int64))
            codes[name] = np.concatenate([self.codes[name], found])[order]
        numbers = {
            name: np.concatenate([own, read.numbers[name]])[order]
            for name, own in self.numbers.items()
        }
        ids = np.concatenate([self.ids, read.ids])[order]
        return PastColumns(ids, time_us[order], numbers, codes, texts)

    def since(self, time_us: int) -> PastColumns:
        """Return the columns of the events from a time on."""
        rows = slice(int(np.searchsorted(self.time_us, time_us)), None)
        return PastColumns(
            self.ids[rows],
            self.time_us[rows],
            {name: column[rows] for name, column in self.numbers.items()},
            {name: column[rows] for name, column in self.codes.items()},
            self.texts,
        )

    def text(self, name: str) -> TextColumn:
        """Return a text field with its values."""
        return TextColumn(self.codes[name], tuple(text.decode() for text in self.texts[name]))

    def codes_of(self, name: str, read: ReadRecords) -> IntArray:
        """Return the code that each text of other records has here, -1 where none."""
        own = self.texts[name]
        return np.array([own.get(value, -1) for value in read.values(name)], np.int64)


def translated(codes: IntArray, code_of: IntArray) -> IntArray:
    """Return other codes for codes.

    Args:
        codes: codes, -1 where missing.
        code_of: other code of each code.
    """
    # The last one is that of the code -1.
    return np.append(code_of, -1)[codes]

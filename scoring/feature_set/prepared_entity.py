"""The past events of one entity, prepared for the windows of a model version."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace

import numpy as np

from scoring.feature_set.window_inputs import Prepared
from scoring.windows.events import IntArray
from scoring.windows.fraud_times import FRAUD_BYTES, NEVER_US, read_frauds, rows_of_ids
from scoring.windows.past_columns import PastColumns
from scoring.windows.prepared.groups import Frauds


@dataclass(frozen=True, slots=True)
class PreparedEntity:
    """Past events of an entity, with structures from which windows of any of them are read.

    Attributes:
        columns: past events.
        since_us: time from which on they are complete, microseconds since 1970.
        windows: structures.
        frauds: events that are known as frauds, by the windows' `by`.
        other_frauds: known frauds among the entity's other events, as `EntityPast.frauds`.
    """

    columns: PastColumns
    since_us: int
    windows: Prepared
    frauds: Mapping[tuple[str, ...], Frauds]
    other_frauds: bytes
    _by_id: IntArray
    _fraud_rows: IntArray
    _fraud_known_us: IntArray

    @classmethod
    def of(
        cls, columns: PastColumns, since_us: int, windows: Prepared, frauds: bytes
    ) -> PreparedEntity:
        """Return prepared events with their frauds.

        Args:
            columns: past events.
            since_us: time from which on they are complete, microseconds since 1970.
            windows: structures.
            frauds: frauds of the entity, as `EntityPast.frauds`.
        """
        nothing = np.empty(0, np.int64)
        by_id = np.lexsort((columns.ids[:, 0], columns.ids[:, 1]))
        without = cls(columns, since_us, windows, {}, b"", by_id, nothing, nothing)
        return without.with_frauds(frauds)

    @property
    def nbytes(self) -> int:
        """Memory in bytes, about."""
        return _nbytes(self, set())

    def with_frauds(self, changes: bytes) -> PreparedEntity:
        """Return the events with changes of what is known of them.

        Args:
            changes: ids of events, each with the time at which it became known as a fraud, as
                `EntityPast.frauds` has them; NEVER_US where it is none any more.
        """
        if not changes and self.frauds:
            return self
        ids, known_us = read_frauds(changes)
        rows = rows_of_ids(ids, self.columns.ids, self._by_id)
        is_here = rows >= 0
        is_kept = ~np.isin(self._fraud_rows, rows)
        is_fraud = is_here & (known_us != NEVER_US)
        all_rows = np.concatenate([self._fraud_rows[is_kept], rows[is_fraud]])
        all_known_us = np.concatenate([self._fraud_known_us[is_kept], known_us[is_fraud]])
        found = {by: one.frauds(all_rows, all_known_us) for by, one in self.windows.items()}
        others = np.frombuffer(changes, f"V{FRAUD_BYTES}")[~is_here].tobytes()
        return replace(
            self,
            frauds=found,
            other_frauds=self.other_frauds + others,
            _fraud_rows=all_rows,
            _fraud_known_us=all_known_us,
        )


def _nbytes(value: object, counted: set[int]) -> int:
    """Return the memory of the arrays and texts that an object refers to, each counted once."""
    if id(value) in counted:
        return 0
    counted.add(id(value))
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, bytes):
        return sys.getsizeof(value)
    if isinstance(value, Mapping):
        inner: Iterable[object] = (*value.keys(), *value.values())
    elif isinstance(value, (tuple, list)):
        inner = value
    elif is_dataclass(value):
        inner = [getattr(value, field.name) for field in fields(value)]
    else:
        inner = getattr(value, "__dict__", {}).values()
    return sys.getsizeof(value) + sum(_nbytes(one, counted) for one in inner)

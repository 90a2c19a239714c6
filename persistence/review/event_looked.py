"""What one look for the events of a search found, and where it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple
from uuid import UUID

from persistence.review.search import ID_BYTES

Way = Literal["events", "decisions", "feedback"]


class Place(NamedTuple):
    """Where a look ended.

    Attributes:
        way: how the search is looked for.
        last: id after which it goes on: of a prediction where the way is by decisions, otherwise
            of a transaction.
    """

    way: Way
    last: UUID


@dataclass(frozen=True, slots=True)
class Looked:
    """What one look found.

    Attributes:
        way: how it looked.
        ids: ids of the transactions, newest first, ID_BYTES each.
        positions: position of each in the order of the way, likewise.
        end: where it ended before everything was looked at; None where it found `limit`, or has
            looked at everything.
    """

    way: Way
    ids: bytes
    positions: bytes
    end: Place | None

    def __len__(self) -> int:
        return len(self.ids) // ID_BYTES

    def id_at(self, index: int) -> UUID:
        """Return the id of one of the transactions."""
        return UUID(bytes=self.ids[index * ID_BYTES : (index + 1) * ID_BYTES])

    def as_array(self, count: int) -> str:
        """Return the first ids as the text of an array, which takes a fifth of a list's time."""
        digits, size = self.ids[: count * ID_BYTES].hex(), 2 * ID_BYTES
        return f"{{{','.join(digits[i : i + size] for i in range(0, len(digits), size))}}}"

    def ends(self, count: int) -> tuple[UUID, UUID]:
        """Return the least and the greatest of the first ids, of which there is at least one.

        These need not be the first and the last: ids of one millisecond are in random order, so
        what is in the order of predictions is not quite in that of transactions.
        """
        each = [self.ids[at : at + ID_BYTES] for at in range(0, count * ID_BYTES, ID_BYTES)]
        return UUID(bytes=min(each)), UUID(bytes=max(each))

    def place_at(self, index: int) -> Place:
        """Return the place after one of the transactions."""
        return Place(
            self.way, UUID(bytes=self.positions[index * ID_BYTES : (index + 1) * ID_BYTES])
        )

    def until(self, end: UUID) -> Looked:
        """Return it without what is earlier than an id; where that is anything, it ends there."""
        count = sum(self.id_at(index) >= end for index in range(len(self)))
        size = count * ID_BYTES
        place = self.end if count == len(self) else Place(self.way, end)
        return Looked(self.way, self.ids[:size], self.positions[:size], place)


def looked_of(
    way: Way, ids: bytes | None, positions: bytes | None, end: UUID | None, limit: int
) -> Looked:
    """Return what one look found.

    Args:
        way: how it looked.
        ids: ids of the transactions, newest first; None: none.
        positions: position of each.
        end: position up to which it looked; None: it has looked at everything.
        limit: number that it was to find; where it has, it did not have to look further.
    """
    is_full = len(ids or b"") // ID_BYTES == limit
    place = None if end is None or is_full else Place(way, end)
    return Looked(way, bytes(ids or b""), bytes(positions or b""), place)

"""The parts of a batch, kept as they are computed, since they may have to be written twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from persistence.decisions.rows import Decided


class KeptParts:
    """The parts of a batch, kept as they are computed.

    Args:
        parts: parts of the batch.

    Attributes:
        is_broken: whether computing a part failed, so that the batch is not complete.
    """

    def __init__(self, parts: Iterable[Sequence[Decided]]) -> None:
        self._parts = iter(parts)
        self._kept: list[Sequence[Decided]] = []
        self.is_broken = False

    def replayed(self) -> Iterator[Sequence[Decided]]:
        """Yield every part, those that were computed before too."""
        yield from list(self._kept)
        yield from self._more()

    def all(self) -> list[Decided]:
        """Return the decisions of all parts."""
        for _ in self._more():
            pass
        return [decided for part in self._kept for decided in part]

    def _more(self) -> Iterator[Sequence[Decided]]:
        while True:
            try:
                part = next(self._parts)
            except StopIteration:
                return
            except BaseException:
                self.is_broken = True
                raise
            self._kept.append(part)
            yield part

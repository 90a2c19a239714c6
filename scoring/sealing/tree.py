"""The Merkle tree of RFC 9162, section 2.1: roots of a growing list of leaves, and its proofs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256

EMPTY_ROOT = sha256(b"").digest()
"""Root of a tree without leaves."""

Subtree = Callable[[int, int], bytes]
"""`subtree(height, index)`: hash of the complete subtree of the leaves from `index << height` to
`(index + 1) << height`."""


def hash_leaf(data: bytes) -> bytes:
    """Return the hash of a leaf."""
    return sha256(b"\x00" + data).digest()


def hash_node(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node above two others."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """The complete subtrees at the right edge of a tree: all that a new leaf or the root needs.

    Args:
        peaks: hashes of the complete subtrees of which the tree consists, the largest first.
        size: number of leaves of the tree.
    """

    def __init__(self, peaks: Sequence[bytes] = (), size: int = 0) -> None:
        self._peaks = list(peaks)
        self.size = size

    def append(self, leaf: bytes) -> list[tuple[int, int, bytes]]:
        """Add the hash of a leaf; return the subtrees that it completes, as height, index, hash."""
        completed = []
        index, height, node = self.size, 0, leaf
        while index & 1:
            node = hash_node(self._peaks.pop(), node)
            index >>= 1
            height += 1
            completed.append((height, index, node))
        self._peaks.append(node)
        self.size += 1
        return completed

    def root(self) -> bytes:
        """Return the root of the tree as it is."""
        if not self._peaks:
            return EMPTY_ROOT
        node = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            node = hash_node(peak, node)
        return node


def peaks(size: int) -> list[tuple[int, int]]:
    """Return the complete subtrees of a tree as height and index, the largest first."""
    found = []
    start = 0
    for height in range(size.bit_length() - 1, -1, -1):
        if size >> height & 1:
            found.append((height, start >> height))
            start += 1 << height
    return found


def root_of(size: int, subtree: Subtree) -> bytes:
    """Return the root of the first `size` leaves of a tree."""
    return Frontier([subtree(*peak) for peak in peaks(size)], size).root()


def inclusion_path(position: int, size: int, subtree: Subtree) -> list[bytes]:
    """Return the proof that a leaf is in a tree: the siblings on the way from it to the root.

    Args:
        position: index of the leaf, from 0.
        size: number of leaves of the tree.
        subtree: hashes of the tree's complete subtrees.
    """
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        # The largest power of two below the number of leaves; the left part is complete.
        width = 1 << (end - start - 1).bit_length() - 1
        if position < start + width:
            path.append(_range_root(start + width, end, subtree))
            end = start + width
        else:
            path.append(_range_root(start, start + width, subtree))
            start += width
    return path[::-1]


def root_by_path(leaf: bytes, position: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """Return the root that an inclusion proof leads to; None: it has the wrong length.

    The steps are those of RFC 9162, section 2.1.3.2.
    """
    place, last, node = position, size - 1, leaf
    for sibling in path:
        if last == 0:
            return None
        if place & 1 or place == last:
            node = hash_node(sibling, node)
            while place and not place & 1:
                place >>= 1
                last >>= 1
        else:
            node = hash_node(node, sibling)
        place >>= 1
        last >>= 1
    return node if last == 0 else None


def _range_root(start: int, end: int, subtree: Subtree) -> bytes:
    """Return the hash over the leaves from a start that their number's power of two divides."""
    hashes = []
    for height in range((end - start).bit_length() - 1, -1, -1):
        if end - start >> height & 1:
            hashes.append(subtree(height, start >> height))
            start += 1 << height
    return Frontier(hashes).root()

"""The tree of RFC 9162: roots and inclusion proofs."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from scoring.sealing.tree import (
    EMPTY_ROOT,
    Frontier,
    hash_leaf,
    hash_node,
    inclusion_path,
    root_by_path,
    root_of,
)

# The leaves and the root that implementations of Certificate Transparency test with.
KNOWN = [
    bytes.fromhex(leaf)
    for leaf in (
        *("", "00", "10", "2021", "3031", "40414243", "5051525354555657"),
        "606162636465666768696a6b6c6d6e6f",
    )
]
KNOWN_ROOT = "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
LEAVES = [hash_leaf(bytes([i])) for i in range(70)]


def by_definition(leaves: Sequence[bytes]) -> bytes:
    """The Merkle tree hash, word for word as section 2.1.1 defines it."""
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hash_node(by_definition(leaves[:k]), by_definition(leaves[k:]))


def subtree(height: int, index: int) -> bytes:
    return by_definition(LEAVES[index << height : (index + 1) << height])


def test_the_root_of_known_leaves() -> None:
    frontier = Frontier()
    for leaf in KNOWN:
        frontier.append(hash_leaf(leaf))
    assert frontier.root().hex() == KNOWN_ROOT


def test_a_growing_tree_has_the_root_of_the_definition_and_completes_each_subtree_once() -> None:
    frontier = Frontier()
    completed = {}
    for size, leaf in enumerate(LEAVES):
        assert frontier.root() == by_definition(LEAVES[:size]) == root_of(size, subtree)
        for height, index, node in frontier.append(leaf):
            assert (height, index) not in completed
            completed[height, index] = node
    assert completed == {(h, i): subtree(h, i) for h in range(1, 7) for i in range(70 >> h)}


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 33, 64, 70])
def test_every_leaf_has_a_proof_that_fails_for_another_leaf_place_or_size(size: int) -> None:
    root = by_definition(LEAVES[:size])
    for position in range(size):
        path = inclusion_path(position, size, subtree)
        assert root_by_path(LEAVES[position], position, size, path) == root
        assert root_by_path(hash_leaf(b"other"), position, size, path) != root
        if size > 1:
            assert root_by_path(LEAVES[position], (position + 1) % size, size, path) != root
            assert root_by_path(LEAVES[position], position, size, path[:-1]) != root
        assert root_by_path(LEAVES[position], position, size, [*path, root]) is None

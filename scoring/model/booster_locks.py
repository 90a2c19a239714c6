"""Locks that let one thread at a time use a booster.

A prediction changes no tree, but LightGBM writes to the booster: each `predict` sets the range of
trees, and `pred_contrib` also recomputes each tree's depth (`GBDT::InitPredict`). So calls on one
booster from several threads race; different boosters share nothing.
"""

from __future__ import annotations

import threading
from weakref import WeakKeyDictionary

from scoring.model.fraud_model import FraudModel


class BoosterLocks:
    """One lock for each booster in use; a lock is dropped together with its booster."""

    def __init__(self) -> None:
        self._locks: WeakKeyDictionary[object, threading.Lock] = WeakKeyDictionary()
        self._guard = threading.Lock()

    def of(self, model: FraudModel) -> threading.Lock:
        """Return the lock of a model's booster.

        Args:
            model: model whose booster is used; models that share a booster share its lock.
        """
        with self._guard:
            return self._locks.setdefault(model.booster, threading.Lock())

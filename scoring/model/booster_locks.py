"""One thread at a time in a booster.

LightGBM's `pred_contrib` recomputes each tree's depth inside the booster, so calls on one booster
from several threads race; different boosters share nothing.
"""

from __future__ import annotations

import threading
from weakref import WeakKeyDictionary

from scoring.model.fraud_model import FraudModel


class BoosterLocks:
    """A lock for each booster in use; goes when the booster does."""

    def __init__(self) -> None:
        self._locks: WeakKeyDictionary[object, threading.Lock] = WeakKeyDictionary()
        self._making = threading.Lock()

    def of(self, model: FraudModel) -> threading.Lock:
        """Return the lock of a model's booster, which models of equal content share."""
        with self._making:
            return self._locks.setdefault(model.booster, threading.Lock())

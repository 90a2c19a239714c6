"""The service with every batch on its worker thread, also a batch of a single request.

Start it with `bentoml serve benchmarks.systems.worker_threads:Sentinel`. Everything else is the
unchanged service.
"""

from __future__ import annotations

import app.bento
from service import Sentinel

__all__ = ["Sentinel"]

app.bento.SentinelApp._is_idle = lambda *_: False  # type: ignore[method-assign]

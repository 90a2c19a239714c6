"""The service with BentoML's own rule for how long a batch waits.

Start it with `bentoml serve benchmarks.systems.bentoml_batch_wait:Sentinel`. The rule also applies
to a single request. Everything else is the unchanged service.
"""

from __future__ import annotations

from bentoml._internal.marshal import dispatcher

import app.bento
from service import Sentinel

__all__ = ["Sentinel"]

app.bento.EagerOptimizer = dispatcher.Optimizer  # type: ignore[misc]
app.bento.SentinelApp._is_idle = lambda *_: False  # type: ignore[method-assign]

"""The service with BentoML's own rule for how long a batch waits for company.

`bentoml serve benchmarks.stacks.stock_wait:Sentinel`. A lone
request is left to that rule too. Everything else is the service as it is.
"""

from __future__ import annotations

from bentoml._internal.marshal import dispatcher

import api.bento
from service import Sentinel

__all__ = ["Sentinel"]

api.bento.EagerOptimizer = dispatcher.Optimizer  # type: ignore[misc]
api.bento.SentinelApp._has_no_company = lambda *_: False  # type: ignore[method-assign]

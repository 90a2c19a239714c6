"""Switch BentoML's usage tracking off."""

from __future__ import annotations

import os
import sys

_USAGE_STATS = "bentoml._internal.utils.analytics.usage_stats"


def disable_usage_tracking() -> None:
    """Keep this process and its children from sending events to t.bentoml.com.

    BentoML reads the variable once and keeps the answer. `bentoml serve` and `bentoml build` read
    it before they import the service, so this function clears it. BentoML checks it before each
    event: at the start, every twelve hours and at the end of the command.
    """
    # BentoML takes `True` only: with `1` it would track.
    os.environ["BENTOML_DO_NOT_TRACK"] = "True"
    # A worker has not imported the module, and reads the variable if it ever does.
    usage_stats = sys.modules.get(_USAGE_STATS)
    if usage_stats is not None:
        usage_stats.do_not_track.cache_clear()

"""What would have had to differ for another outcome of a payment, or why that is not shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from api.dependencies import ApiDependencies
from scoring.counterfactual import MAX_ASKED_WORK, MAX_WORK, Change, smallest_changes
from scoring.prediction import Prediction
from scoring.rules.verdict import BY_MODEL


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What the page shows below its reasons.

    Attributes:
        state: `changes`, `none` where no single feature gives another outcome, or why nothing is
            computed: `by_rule`, `by_list`, `not_loaded`, `not_compiled`, `not_repeated`, `costly`,
            `too_costly` where a person who waits would wait too long.
        changes: smallest changes, the smallest first.
    """

    state: str
    changes: Sequence[Change] = ()


async def find_what_if(
    dependencies: ApiDependencies, prediction: Prediction, *, is_asked_for: bool
) -> WhatIf:
    """Return what would have had to differ, by the version that scored the payment and no other.

    Args:
        dependencies: models that the process has in memory.
        prediction: decision as it was made.
        is_asked_for: whether the person waits for it, some seconds.
    """
    if prediction.ruling is not None and prediction.ruling.verdict.decided_by != BY_MODEL:
        by = prediction.ruling.verdict.decided_by
        return WhatIf("by_rule" if by.kind == "rule" else "by_list")
    version = prediction.model
    model = dependencies.loaded_model(version.name, version.version)
    if model is None:
        return WhatIf("not_loaded")
    max_work = MAX_ASKED_WORK if is_asked_for else MAX_WORK
    found = await dependencies.compute(smallest_changes, model, prediction, max_work=max_work)
    if isinstance(found, str):
        return WhatIf("too_costly" if found == "costly" and is_asked_for else found)
    return WhatIf("changes" if found else "none", found)

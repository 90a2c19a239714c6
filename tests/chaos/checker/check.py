"""Check a history against the tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tests.chaos.checker import replies, stored
from tests.chaos.checker.evidence import Evidence, Finding
from tests.chaos.checker.windows import Windows
from tests.chaos.history import Attempt
from tests.chaos.tables import Tables


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check has found.

    Attributes:
        findings: everything that must not be.
        windows: number of windows by how they were checked.
        decided_again: decisions of the journal whose id Postgres had an answer for.
    """

    findings: list[Finding]
    windows: Counter[str]
    decided_again: int


def check(attempts: Sequence[Attempt], tables: Tables) -> Checked:
    """Return everything that is wrong in a history and the tables after it."""
    evidence = Evidence(attempts, tables)
    windows = Windows(evidence)
    findings = [
        *stored.lost(evidence),
        *stored.duplicated(evidence),
        *stored.altered(evidence),
        *stored.crossed(evidence),
        *stored.torn(evidence),
        *stored.refused_but_stored(evidence),
        *replies.answered_differently(evidence),
        *replies.mixed(evidence),
        *replies.unexpected_status(evidence),
        *windows.wrong(),
        *windows.miscounted(),
    ]
    again = {
        answer.decision["prediction_id"]
        for _, _, answer in evidence.each_answer()
        if answer.decision["prediction_id"] not in evidence.row_of
        and evidence.may_be_decided_again(answer)
    }
    return Checked(findings, windows.counts, len(again))

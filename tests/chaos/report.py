"""What a run says at its end: a table of what was sent and found, and the first bad records."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence

from tests.chaos.checker.check import Checked
from tests.chaos.checker.evidence import KINDS
from tests.chaos.history import UNANSWERED, Attempt
from tests.chaos.payments import TENANTS, mark_of

_SHOWN = 5


def summary(attempts: Sequence[Attempt], checked: Checked, faults: int, rows: int) -> list[str]:
    """Return the lines of the summary."""
    statuses = Counter(attempt.status for attempt in attempts)
    answered = {
        (attempt.tenant, mark_of(payment))
        for attempt in attempts
        if attempt.decisions
        for payment in attempt.payments
    }
    journalled = sum("stored" in d for attempt in attempts for d in attempt.decisions)
    shown = ", ".join(
        f"{count:,} {'without a reply' if status == UNANSWERED else status}"
        for status, count in sorted(statuses.items())
    )
    found = Counter(finding.kind for finding in checked.findings)
    windows = ", ".join(f"{count:,} {how}" for how, count in sorted(checked.windows.items()))
    lines = [
        ("faults", f"{faults}"),
        ("requests", f"{len(attempts):,}: {shown}"),
        ("payments answered", f"{len(answered):,}, {journalled:,} answers from the journal"),
        ("rows", f"{rows:,}"),
        (
            "decided again",
            f"{checked.decided_again} without Postgres (docs/decisions/0022)",
        ),
        ("windows checked", windows or "none"),
        *(("longest without 200", line) for line in _longest(attempts)),
        *((kind, f"{found[kind]}") for kind in KINDS),
    ]
    return [f"{name:22} {value}" for name, value in lines]


def findings_shown(attempts: Sequence[Attempt], checked: Checked) -> list[str]:
    """Return the first findings of each kind, as lines."""
    lines = []
    began = min((attempt.sent for attempt in attempts), default=0.0)
    answered = {attempt.number: attempt.got - began for attempt in attempts}
    for kind in KINDS:
        of_kind = [finding for finding in checked.findings if finding.kind == kind]
        for finding in of_kind[:_SHOWN]:
            where = ""
            if finding.number:
                at_s = answered[finding.number]
                where = f" (line {finding.number} of the history, after {at_s:.1f} s)"
            lines.append(f"{kind}: {finding.tenant} {finding.mark}: {finding.sentence}{where}")
        if len(of_kind) > _SHOWN:
            lines.append(f"{kind}: and {len(of_kind) - _SHOWN} more")
    return lines


def _longest(attempts: Sequence[Attempt]) -> list[str]:
    """Return the longest time between two answers of 200, of each tenant, and in which faults."""
    lines = []
    for tenant in TENANTS:
        own = [a for a in attempts if a.tenant == tenant.slug and a.payments]
        times = sorted(a.got for a in own if a.status == 200)
        if len(times) < 2:
            continue
        gap_s, begin = max((b - a, a) for a, b in itertools.pairwise(times))
        meanwhile = {a.fault for a in own if a.got > begin and a.sent < begin + gap_s and a.fault}
        during = ", ".join(sorted({one for fault in meanwhile for one in fault.split("+")}))
        lines.append(f"{tenant.slug} {gap_s:.1f} s ({during or 'no fault'})")
    return lines

"""The service with two tenants, and the two questions that are put to it.

`overload`: what is decided while one tenant's clients are four times as many as may be in flight.
`fairness`: what a tenant notices of another one that sends more than its limit allows.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from benchmarks.load.clients import Endpoint, LoadError
from benchmarks.load.payloads import SENTINEL
from benchmarks.load.testbed import KEY_SECRET, Testbed
from benchmarks.overload.crowd import Answers, Crowd, run_crowds
from persistence.api_keys import issue_key
from persistence.engine import open_database
from persistence.tenants import create_tenant, set_limits
from scoring.tenant import TenantLimits

CLIENTS = (1, 16, 64, 256, 1024)
"""Numbers of clients of which the best goodput is the peak."""
OVERLOAD = 4 * CLIENTS[-1]
WARM_UP_S = dict.fromkeys(CLIENTS, 0.5) | {OVERLOAD: 6.0}
"""By number of clients; in an overload, those that were admitted before it are answered first."""
LIMIT = 50
"""Payments a second of the tenant that floods."""
QUIET_CLIENTS = 4
FLOODING_CLIENTS = 256
SETTLING_S = 0.5

Figures = dict[str, float]


class Lanes:
    """A service process with one worker and two tenants.

    Args:
        testbed: Postgres and MLflow.
        registered: registered model of both tenants.
        tree: project whose service it is; one from before the limits of tenants ignores them, so
            `fairness` measures it beside a flood without a limit.
    """

    def __init__(self, testbed: Testbed, registered: str, tree: Path) -> None:
        self._testbed = testbed
        database, key = testbed.tenant("bench_overload", registered)
        engine = open_database(database, pool_size=1)
        flooding = create_tenant(engine, "flooding", registered)
        set_limits(engine, flooding.slug, TenantLimits(tenant=LIMIT))
        flooding_key = issue_key(engine, flooding.id, ("score",), KEY_SECRET)
        engine.dispose()
        _, port = testbed.serve("overload", database, tree)
        self._quiet = Endpoint("127.0.0.1", port, "/score", {"Authorization": f"Bearer {key}"})
        self._flooding = replace(self._quiet, headers={"Authorization": f"Bearer {flooding_key}"})

    def overload(self, clients: int, seconds: float) -> Figures:
        """Measure clients of one tenant that has no limit."""
        (answers,) = self._measured([Crowd(self._quiet, clients)], seconds, WARM_UP_S[clients])
        return _figures(answers)

    def fairness(self, seconds: float) -> dict[str, Figures]:
        """Measure a tenant alone, beside one that keeps to its limit, and beside its flood."""
        quiet = Crowd(self._quiet, QUIET_CLIENTS)
        pause_s = QUIET_CLIENTS / LIMIT
        beside = {
            "alone": [],
            "beside what the other may send": [Crowd(self._flooding, QUIET_CLIENTS, pause_s)],
            "beside its flood": [Crowd(self._flooding, FLOODING_CLIENTS)],
        }
        found = {}
        for name, others in beside.items():
            answers, *_ = self._measured([quiet, *others], seconds, 1.0)
            found[name] = _figures(answers)
        return found

    def _measured(self, crowds: list[Crowd], seconds: float, warm_up_s: float) -> list[Answers]:
        self._testbed.checkpoint()
        time.sleep(SETTLING_S)
        found = run_crowds(crowds, SENTINEL.bodies(None), seconds, warm_up_s)
        for answers in found:
            if answers.other or answers.closed or answers.without_retry_after:
                raise LoadError(
                    f"There were {len(answers.other)} replies that are neither 200 nor 429,"
                    f" {answers.without_retry_after} without Retry-After, and {answers.closed}"
                    " closed connections."
                )
        return found


def _figures(answers: Answers) -> Figures:
    return {
        "goodput": answers.goodput,
        "refused": len(answers.refused_ms) / answers.seconds,
        "p50_ms": answers.percentile_ms(50),
        "p99_ms": answers.percentile_ms(99),
    }

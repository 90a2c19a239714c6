"""What rules did day by day, from stored decisions and their labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Engine, text

from persistence.labels.reader import apply_limit, range_cursor, span_of
from persistence.labels.sql import MODELS, mature_decisions
from persistence.tables.decisions import FIRED
from persistence.tenancy import tenant_transaction
from scoring.policy import CostModel, Outcome

MAX_HITS = 50_000
"""Decisions with a hit that are read at most, the latest ones, so that the statement ends well
within the time-out of the service's statements (decision 18)."""

_NTH_HIT = text(
    f"""
    SELECT id FROM predictions
    WHERE tenant_id = :tenant_id AND id >= :start AND id < :end AND {FIRED}
    ORDER BY id DESC OFFSET :limit - 1 LIMIT 2
    """  # noqa: S608 - a constant
)
_HIT = """
    uuid_extract_timestamp(p.id)::date, coalesce(p.ruling->'fired', '[]'),
    coalesce(p.ruling->'shadow', '[]'),
    CASE WHEN p.ruling->'decided_by'->>0 = 'rule' THEN (p.ruling->'decided_by'->>1)::int END,
    coalesce(t.amount, 0)
"""
# Both functions make one row for each rule: a join would need the nested loops that are off.
_BY_DAY = f"""
SELECT rule, day, count(*) FILTER (WHERE place <= live), count(*) FILTER (WHERE place > live),
    count(*) FILTER (WHERE decider = rule), sum(labelled)::bigint, sum(is_fraud)::bigint,
    coalesce(sum(amount) FILTER (WHERE is_fraud = 1), 0)
FROM (
    SELECT (jsonb_array_elements(fired || shadow)->>0)::int AS rule,
        generate_series(1, jsonb_array_length(fired || shadow)) AS place,
        jsonb_array_length(fired) AS live, day, decider, amount, is_fraud, labelled
    FROM (
        {mature_decisions(_HIT, f"AND p.{FIRED}")}
    ) AS hit (
        day, fired, shadow, decider, amount, is_fraud, labelled, decided_at, chance, approved
    )
) AS fire GROUP BY rule, day ORDER BY rule, day
"""  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class RuleDay:
    """What a rule did on one day in UTC, in any version.

    Attributes:
        day: day.
        fires: decisions in which it fired live.
        shadow: decisions in which it fired in shadow.
        decided: decisions that it decided.
        labelled: of all in which it fired, those with a label.
        frauds: known frauds among them.
        fraud_amount: their amounts, money.
    """

    day: date
    fires: int
    shadow: int
    decided: int
    labelled: int
    frauds: int
    fraud_amount: float

    @property
    def precision(self) -> float | None:
        """Share of frauds among those with a label; None without any."""
        return self.frauds / self.labelled if self.labelled else None

    def saved(self, costs: CostModel, action: Outcome) -> float:
        """Return the money that its known hits save against approving them.

        Of a rule that approves it is negative: what its known frauds cost.

        Args:
            costs: costs of errors.
            action: outcome that the rule gives.
        """
        frauds = costs.missed_fraud * self.frauds + costs.missed_fraud_share * self.fraud_amount
        if action == "approve":
            return -frauds
        honest = costs.false_alarm if action == "review" else costs.declined_honest
        return frauds - honest * (self.labelled - self.frauds)


@dataclass(frozen=True, slots=True)
class RuleFigures:
    """What a tenant's rules did.

    Attributes:
        days: days on which a rule fired, the oldest first, by the id of the rule.
        truncated: whether more than MAX_HITS decisions have a hit; the latest are counted.
    """

    days: Mapping[int, Sequence[RuleDay]]
    truncated: bool


def rule_figures(
    engine: Engine, tenant_id: int, window_days: float, as_of: datetime, limit: int = MAX_HITS
) -> RuleFigures:
    """Return the days on which each rule fired, live or in shadow.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose rules they are.
        window_days: length of the time that is looked at, days.
        as_of: its end, and the time at which labels were known.
        limit: largest number of decisions with a hit, the newest.

    Raises:
        StoreUnavailable: Postgres is unreachable.
    """
    parameters = span_of(tenant_id, 0.0, window_days, as_of) | {"limit": limit}
    days: dict[int, list[RuleDay]] = defaultdict(list)
    with tenant_transaction(engine, tenant_id) as connection:
        truncated = apply_limit(connection, _NTH_HIT, parameters)
        models = connection.execute(MODELS, parameters).all()
        parameters["names"] = [name for name, _ in models]
        parameters["versions"] = [version for _, version in models]
        with range_cursor(connection) as cursor:
            for rule_id, *day in cursor.execute(_BY_DAY, parameters):
                days[rule_id].append(RuleDay(*day))
    return RuleFigures(days, truncated)

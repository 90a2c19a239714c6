"""What a rule did day by day, from stored decisions and their labels."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Engine

from persistence.labels.reader import range_cursor, span_of
from persistence.labels.sql import mature_decisions
from persistence.tables.decisions import FIRED
from persistence.tenancy import tenant_transaction
from scoring.policy import CostModel, Outcome

# Strict: else the filter looks into each pair, and a version would count as a rule.
_FIRES = "jsonb_path_exists(p.ruling, 'strict $.{}[*] ? (@[0] == $rule)', %(rule)s::jsonb, true)"
_HIT = f"""
    uuid_extract_timestamp(p.id)::date, {_FIRES.format("fired")}, {_FIRES.format("shadow")},
    p.ruling->'decided_by'->>0 = 'rule' AND (p.ruling->'decided_by'->>1)::int = %(rule_id)s,
    coalesce(t.amount, 0)
"""
_BY_DAY = f"""
SELECT day, count(*) FILTER (WHERE fired), count(*) FILTER (WHERE shadow),
    count(*) FILTER (WHERE decided), sum(labelled)::bigint, sum(is_fraud)::bigint,
    coalesce(sum(amount) FILTER (WHERE is_fraud = 1), 0)
FROM (
    {mature_decisions(_HIT, f"AND p.{FIRED}")}
) AS hit (day, fired, shadow, decided, amount, is_fraud, labelled, decided_at, chance, approved)
WHERE fired OR shadow GROUP BY day ORDER BY day
"""  # noqa: S608 - constants
_MODELS = "SELECT name, version FROM model_versions WHERE tenant_id = %(tenant_id)s"


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


def rule_days(
    engine: Engine, tenant_id: int, rule_id: int, window_days: float, as_of: datetime
) -> list[RuleDay]:
    """Return the days on which a rule fired, the oldest first.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose rule it is.
        rule_id: rule.
        window_days: length of the time that is looked at, days.
        as_of: its end, and the time at which labels were known.

    Raises:
        StoreUnavailable: Postgres is unreachable.
    """
    parameters = span_of(tenant_id, 0.0, window_days, as_of)
    parameters |= {"rule_id": rule_id, "rule": f'{{"rule": {rule_id}}}'}
    with tenant_transaction(engine, tenant_id) as connection, range_cursor(connection) as cursor:
        versions = cursor.execute(_MODELS, parameters).fetchall()
        parameters["names"] = [name for name, _ in versions]
        parameters["versions"] = [version for _, version in versions]
        return [RuleDay(*row) for row in cursor.execute(_BY_DAY, parameters).fetchall()]

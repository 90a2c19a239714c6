"""Every rule with its figures, as the API and the pages show them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Engine

from api.models.effective_policy import TenantDeployment
from api.rules.responses import rules_out
from api.rules.schemas import RulesOut
from persistence.rules.changes import newest_change
from persistence.rules.figures import RuleFigures, rule_figures
from persistence.rules.in_force import rules_at
from persistence.rules.names import names_of_conditions
from persistence.rules.snoozes import going_on
from persistence.tenancy import tenant_transaction
from scoring.errors import NoModel
from scoring.policy import CostModel


def costs_in_force(deployment: TenantDeployment) -> CostModel | None:
    """Return the costs of errors in force; None without a policy."""
    try:
        return deployment.effective_policy().policy.cost_model
    except NoModel:
        return None


def read_rules_with_figures(
    engine: Engine, tenant_id: int, window_days: int, costs: CostModel | None, now: datetime
) -> RulesOut:
    """Return every rule, and what it did day by day.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose rules are read.
        window_days: days until now that the figures have.
        costs: costs of errors; None without a policy in force.
        now: current time.
    """
    return with_figures(
        engine, tenant_id, rule_figures(engine, tenant_id, window_days, now), costs, now
    )


def with_figures(
    engine: Engine, tenant_id: int, figures: RuleFigures, costs: CostModel | None, now: datetime
) -> RulesOut:
    """Return every rule with figures that were read before.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose rules are read.
        figures: what the rules did.
        costs: costs of errors; None without a policy in force.
        now: current time.
    """
    with tenant_transaction(engine, tenant_id) as connection:
        change = newest_change(connection, tenant_id)
        return rules_out(
            rules_at(connection, tenant_id, change),
            going_on(connection, tenant_id),
            names_of_conditions(connection, tenant_id),
            figures,
            costs,
            now,
        )

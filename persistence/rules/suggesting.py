"""Suggest rules from a tenant's labelled decisions."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine

from persistence.labels.past_decisions import PastDecisions, RuleInputs, read_past_decisions
from persistence.rules.backtesting import History
from persistence.rules.names import event_type_in_force, model_in_production
from persistence.tenancy import tenant_transaction
from scoring.backtest.rule_columns import feature_columns, field_columns
from scoring.backtest.suggestions import Suggestions, suggest_rules
from scoring.errors import NoModel
from scoring.event_type.fields import Field
from scoring.policy import CostModel


@dataclass(frozen=True, slots=True)
class Suggested:
    """Suggested rules, and the decisions that they were learned and tried on.

    Attributes:
        suggestions: rules with their backtests.
        past: decisions; examples of the backtests are positions among them.
    """

    suggestions: Suggestions
    past: PastDecisions


def suggest_on_history(
    engine: Engine, tenant_id: int, costs: CostModel, history: History
) -> Suggested:
    """Suggest review rules for what the version in production approved.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose decisions are read.
        costs: costs of errors.
        history: decisions that are looked at; those of other versions are left out.

    Raises:
        NoModel: no version that fits the tenant's event type is in production.
        StoreUnavailable: Postgres is unreachable.
    """
    with tenant_transaction(engine, tenant_id) as connection:
        event_type = event_type_in_force(connection, tenant_id)
        production = model_in_production(connection, tenant_id)
    if production is None or production.features.misfit(event_type):
        raise NoModel("No model version that fits your event type is in production; promote one.")
    fields = tuple(name for name, field in event_type.kept.items() if _says_something(field))
    inputs = RuleInputs(event_type, fields, production.features.names)
    past = read_past_decisions(
        engine,
        tenant_id,
        inputs,
        maturity_days=history.maturity_days,
        window_days=history.window_days,
        limit=history.limit,
        as_of=history.as_of,
        version=production.version,
    )
    columns = [
        *field_columns(event_type, past.columns),
        *feature_columns(production.features, past.features),
    ]
    return Suggested(suggest_rules(past.decisions, columns, costs), past)


def _says_something(field: Field) -> bool:
    """Whether a field's values may recur in other payments, or have an hour."""
    return field.kind in ("number", "integer", "boolean", "category") or field.role == "time"

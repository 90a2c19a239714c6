"""The page of the thresholds as tests fill and read it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from persistence.actor import Actor
from persistence.decisions.writer import DecisionLog
from persistence.policies import insert_policy
from persistence.tenancy import tenant_transaction
from scoring.policy import Policy
from tests.support.console.site import Person, Site
from tests.support.data.review import decide, say
from tests.support.factories import decision_at

SCORES = [0.01 + i / 60 for i in range(57)]
EFFECT = "/console/threshold/effect"


def matured(site: Site, frauds: int) -> None:
    """Store decisions of 40 days ago of which the highest scores but two were frauds."""
    moment = datetime.now(UTC) - timedelta(days=40)
    made = [
        decision_at(decide(site.tenant, score, amount=100.0), moment + timedelta(seconds=i))
        for i, score in enumerate(SCORES)
    ]
    assert DecisionLog(site.engine).write(made) == made
    for decision in made[len(made) - frauds - 2 : -2]:
        say(site.engine, decision, "confirmed_fraud")


def set_policy(site: Site, policy: Policy, actor: str = "Bo Senior") -> None:
    with tenant_transaction(site.engine, site.tenant.id, actor=Actor(actor)) as connection:
        insert_policy(connection, site.tenant.id, policy, actor)


def seen(person: Person, address: str) -> str:
    found = re.search(r'name="seen" value="([^"]*)"', person.get(address).text)
    assert found, "there is no form"
    return found[1]

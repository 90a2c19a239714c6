"""Each kind of fault, planted in a small history that is right without it, is found and named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.chaos.checker.check import Checked, check
from tests.chaos.history import Attempt
from tests.chaos.payments import FEATURES, Payments
from tests.chaos.tables import Row, Tables

DRAINED_AT = 500.0


class SmallRun:
    """A history in which every request is answered at once, and what the tables have after it.

    Attributes:
        attempts: requests so far.
        tables: what is stored so far.
    """

    def __init__(self) -> None:
        self.attempts: list[Attempt] = []
        self.tables = Tables()
        self._payments = {
            tenant: Payments(1, own_type=tenant != "alpha", lane=0)
            for tenant in ("alpha", "cards", "shops")
        }
        self._now = 100.0

    def payment(self, tenant: str = "alpha", *, external_id: bool = True) -> dict[str, Any]:
        """Return the tenant's next payment."""
        return self._payments[tenant].next(external_id=external_id)

    def store(self, tenant: str, body: dict[str, Any], number: int, **changes: Any) -> Row:
        """Store a decision of a payment; its windows count those of its card before it."""
        row = Row(
            tenant=tenant,
            external_id=body.get("external_id"),
            transaction_id=f"t-{tenant}-{number}",
            prediction_id=f"p-{tenant}-{number}",
            body=body,
            score=number / 100,
            margin=-1.0,
            base_value=-2.0,
            threshold=0.05,
            risk_band="low",
            decision="approve",
            model_name=f"fraud-{tenant}",
            model_version=1,
            drained=None,
            unread_windows=[],
            contributions={"amount": 1.0},
            features=_features(body, [row for row in self.tables.rows if row.tenant == tenant]),
        )
        row = replace(row, **changes)
        self.tables.rows.append(row)
        if row.external_id is not None:
            self.tables.claims[tenant, row.external_id] = row.prediction_id
        for field in ("CUSTOMER_ID", "TERMINAL_ID"):
            if field in body:
                self.tables.past[tenant, field, body[field], row.transaction_id] = 1
        return row

    def ask(
        self, tenant: str, payments: list[dict[str, Any]], rows: list[Row], **changes: Any
    ) -> Attempt:
        """Send payments, and answer with decisions; without any the answer is a 503."""
        self._now += 10.0
        attempt = Attempt(
            operation=f"operation-{len(self.attempts)}",
            tenant=tenant,
            route="/score" if len(payments) == 1 else "/score/batch",
            payments=payments,
            sent=self._now,
            got=self._now + 1.0,
            status=200 if rows else 503,
            decisions=[_decision(row) for row in rows],
            number=len(self.attempts) + 1,
        )
        attempt = replace(attempt, **changes)
        self.attempts.append(attempt)
        return attempt

    def pay(self, tenant: str = "alpha", count: int = 1) -> list[Row]:
        """Send new payments in one request, which are stored and answered."""
        payments = [self.payment(tenant) for _ in range(count)]
        first = len(self.tables.rows) + 1
        rows = [self.store(tenant, body, first + i) for i, body in enumerate(payments)]
        self.ask(tenant, payments, rows)
        return rows

    def change(self, row: Row, **changes: Any) -> Row:
        """Change a stored row, and leave the history as it is."""
        changed = replace(row, **changes)
        self.tables.rows[self.tables.rows.index(row)] = changed
        return changed

    def check(self) -> Checked:
        """Check it."""
        return check(self.attempts, self.tables)

    def found(self) -> set[str]:
        """Return the kinds of what is wrong."""
        return {finding.kind for finding in self.check().findings}


def _features(body: dict[str, Any], earlier: list[Row]) -> dict[str, float | None]:
    features: dict[str, float | None] = dict.fromkeys(FEATURES)
    if "CUSTOMER_ID" not in body:
        return {"amount": body["amount"]}
    amounts = [row.body["TX_AMOUNT"] for row in earlier]
    return features | {
        "amount": body["TX_AMOUNT"],
        "events_1d": float(len(amounts)),
        "terminal_2d": float(len(amounts)),
        "spent_7d": sum(amounts, 0.0),
        "mean_30d": sum(amounts) / len(amounts) if amounts else None,
    }


def _decision(row: Row) -> dict[str, Any]:
    names = ("transaction_id", "prediction_id", "score", "margin", "base_value", "threshold")
    return {
        **{name: getattr(row, name) for name in (*names, "risk_band", "decision")},
        "model": {"name": row.model_name, "version": row.model_version},
        "top_features": [{"name": "amount", "contribution": 1.0, "value": row.features["amount"]}],
    }


@pytest.fixture
def run() -> SmallRun:
    """A run with payments of three tenants, in which nothing is wrong."""
    run = SmallRun()
    for tenant in ("alpha", "cards", "shops"):
        run.pay(tenant)
        run.pay(tenant, count=2)
    return run


def test_nothing_is_found_in_a_run_that_is_right(run: SmallRun) -> None:
    checked = run.check()
    assert checked.findings == []
    assert checked.windows == {"exactly": 2 * 3 * 4}


def _lose(run: SmallRun) -> None:
    run.tables.rows.remove(run.pay()[0])


def _store_twice(run: SmallRun) -> None:
    (row,) = run.pay()
    run.store("alpha", row.body, 77)


def _store_twice_without_id(run: SmallRun) -> None:
    payments = [run.payment(external_id=False) for _ in range(2)]
    rows = [run.store("alpha", body, 80 + i) for i, body in enumerate(payments)]
    run.ask("alpha", payments, rows, key="key-1")
    run.store("alpha", payments[0], 90)


def _claim_another(run: SmallRun) -> None:
    (row,) = run.pay()
    run.tables.claims["alpha", str(row.external_id)] = "p-alpha-1"


def _alter(**changes: Any) -> Callable[[SmallRun], None]:
    def plant(run: SmallRun) -> None:
        run.change(run.pay()[0], **changes)

    return plant


def _alter_the_payment(run: SmallRun) -> None:
    (row,) = run.pay()
    run.change(row, body=row.body | {"oldbalanceDest": 1e9})


def _answer_with_anothers(run: SmallRun) -> None:
    (theirs,) = run.pay("shops")
    ours = run.payment("cards")
    run.ask("cards", [ours], [theirs])


def _decide_by_anothers_model(run: SmallRun) -> None:
    body = run.payment("cards")
    row = run.store("cards", body, 70, model_name="fraud-shops", features=_past(run, body))
    run.ask("cards", [body], [row])


def _past(run: SmallRun, body: dict[str, Any]) -> dict[str, float | None]:
    return _features(body, [row for row in run.tables.rows if row.tenant == "cards"])


def _show_anothers(run: SmallRun) -> None:
    run.ask("alpha", [], [], route="/transactions/t-cards-4", status=200)


def _store_for_another(run: SmallRun) -> None:
    run.store("alpha", run.payment("alpha"), 71)


def _miss_a_window(run: SmallRun) -> None:
    (row,) = run.pay("cards")
    count = row.features["events_1d"]
    assert count
    run.change(row, features=row.features | {"events_1d": count - 1})


def _count_anothers(run: SmallRun) -> None:
    of_cards = [row for row in run.tables.rows if "CUSTOMER_ID" in row.body]
    body = run.payment("cards")
    row = run.store("cards", body, 72, features=_features(body, of_cards))
    run.ask("cards", [body], [row])


def _keep_twice(run: SmallRun) -> None:
    (row,) = run.pay("cards")
    run.tables.past["cards", "CUSTOMER_ID", row.body["CUSTOMER_ID"], row.transaction_id] = 2


def _forget_the_past(run: SmallRun) -> None:
    (row,) = run.pay("cards")
    del run.tables.past["cards", "TERMINAL_ID", row.body["TERMINAL_ID"], row.transaction_id]


def _mix_versions(run: SmallRun) -> None:
    payments = [run.payment() for _ in range(2)]
    rows = [
        run.store("alpha", body, 60 + i, model_version=1 + i) for i, body in enumerate(payments)
    ]
    run.ask("alpha", payments, rows)


def _mix_thresholds(run: SmallRun) -> None:
    payments = [run.payment() for _ in range(2)]
    rows = [
        run.store("alpha", body, 60 + i, threshold=0.1 + i / 10) for i, body in enumerate(payments)
    ]
    run.ask("alpha", payments, rows)


def _answer_a_repeat_differently(run: SmallRun) -> None:
    (row,) = run.pay()
    run.ask("alpha", [row.body], [replace(row, decision="review")])


def _answer_another_payment_by_its_id(run: SmallRun) -> None:
    (row,) = run.pay()
    other = row.body | {"nameDest": "other", "amount": 1.0}
    run.ask("alpha", [other], [run.store("alpha", other, 73)])


def _tear(run: SmallRun) -> None:
    payments = [run.payment() for _ in range(3)]
    run.store("alpha", payments[0], 61)
    run.ask("alpha", payments, [])


def _store_a_refused_one(run: SmallRun) -> None:
    body = run.payment()
    run.ask("alpha", [body], [], status=429)
    run.store("alpha", body, 62)


def _fail(status: int) -> Callable[[SmallRun], None]:
    def plant(run: SmallRun) -> None:
        run.ask("alpha", [run.payment()], [], status=status)

    return plant


@pytest.mark.parametrize(
    ("kind", "plant"),
    [
        ("lost", _lose),
        ("duplicated", _store_twice),
        ("duplicated", _store_twice_without_id),
        ("duplicated", _claim_another),
        ("altered", _alter(score=0.5)),
        ("altered", _alter(decision="review")),
        ("altered", _alter(threshold=0.06)),
        ("altered", _alter(model_version=2)),
        ("altered", _alter(contributions={"amount": 1.5})),
        ("altered", _alter(features={"amount": -1.0})),
        ("altered", _alter(unread_windows=["count"])),
        ("altered", _alter_the_payment),
        ("crossed", _answer_with_anothers),
        ("crossed", _decide_by_anothers_model),
        ("crossed", _show_anothers),
        ("crossed", _store_for_another),
        ("wrong windows", _miss_a_window),
        ("crossed", _count_anothers),
        ("wrong windows", _keep_twice),
        ("wrong windows", _forget_the_past),
        ("mixed", _mix_versions),
        ("mixed", _mix_thresholds),
        ("answered differently", _answer_a_repeat_differently),
        ("answered differently", _answer_another_payment_by_its_id),
        ("torn", _tear),
        ("refused but stored", _store_a_refused_one),
        ("unexpected status", _fail(500)),
        ("unexpected status", _fail(401)),
        ("unexpected status", _fail(422)),
    ],
)
def test_a_planted_fault_is_named(
    run: SmallRun, kind: str, plant: Callable[[SmallRun], None]
) -> None:
    plant(run)
    assert kind in run.found()


@pytest.mark.parametrize("status", [0, 409, 429, 503, 504])
def test_what_a_client_sends_again_is_no_fault(run: SmallRun, status: int) -> None:
    run.ask("alpha", [run.payment()], [], status=status)
    assert run.found() == set()


def test_a_payment_that_is_stored_although_no_reply_came_is_no_fault(run: SmallRun) -> None:
    body = run.payment()
    run.ask("alpha", [body], [], status=0)
    run.store("alpha", body, 50)
    assert run.found() == set()


def _journalled(run: SmallRun, body: dict[str, Any], number: int) -> str:
    """Answer a payment from the journal, whose decision is set aside later; return its id."""
    elsewhere = SmallRun().store("alpha", body, number)
    decision = _decision(elsewhere) | {"stored": "journal"}
    run.ask("alpha", [body], [elsewhere], decisions=[decision])
    reason = f"Another decision answers external_id {body['external_id']!r}: its key was claimed."
    run.tables.set_aside[elsewhere.prediction_id] = reason
    return elsewhere.prediction_id


def test_a_decision_that_was_made_again_without_postgres_is_counted_and_no_fault(
    run: SmallRun,
) -> None:
    (row,) = run.pay()
    _journalled(run, row.body, 51)
    checked = run.check()
    assert (checked.findings, checked.decided_again) == ([], 1)


def test_a_decision_of_the_journal_that_is_set_aside_under_a_new_id_is_lost(run: SmallRun) -> None:
    _journalled(run, run.payment(), 52)
    assert run.found() == {"lost"}


def test_a_decision_that_postgres_refuses_when_it_is_drained_is_lost(run: SmallRun) -> None:
    (row,) = run.pay()
    prediction_id = _journalled(run, row.body, 53)
    run.tables.set_aside[prediction_id] = "Postgres refuses it: a month is missing"
    assert run.found() == {"lost"}


def test_a_window_may_or_may_not_see_what_was_under_way() -> None:
    for seen in (0, 1):
        changed = SmallRun()
        first, second = changed.payment("cards"), changed.payment("cards")
        earlier = changed.store("cards", first, 1)
        features = _features(second, [earlier][:seen])
        row = changed.store("cards", second, 2, features=features)
        changed.ask("cards", [first], [earlier], sent=100.0, got=200.0)
        changed.ask("cards", [second], [row], sent=150.0, got=160.0)
        assert changed.found() == set()


def test_a_window_sees_what_was_drained_before(run: SmallRun) -> None:
    first, second = run.payment("shops"), run.payment("shops")
    known = [row for row in run.tables.rows if row.tenant == "shops"]
    decided = run.store("shops", first, 54, drained=DRAINED_AT)
    run.ask(
        "shops", [first], [decided],
        decisions=[_decision(decided) | {"stored": "journal"}],
    )  # fmt: skip
    row = run.store("shops", second, 55, features=_features(second, known))
    run.ask("shops", [second], [row], sent=DRAINED_AT + 1, got=DRAINED_AT + 1.5)
    assert run.found() == set(), "the drainer's transaction may not have ended"
    run.attempts[-1] = replace(run.attempts[-1], sent=DRAINED_AT + 3, got=DRAINED_AT + 4)
    assert run.found() == {"wrong windows"}


def test_windows_that_are_named_as_unread_are_not_compared(run: SmallRun) -> None:
    body = run.payment("cards")
    named = ["CUSTOMER_ID", "TERMINAL_ID"]
    row = run.store("cards", body, 56, features=_features(body, []), unread_windows=named)
    run.ask("cards", [body], [row], decisions=[_decision(row) | {"unread_windows": named}])
    checked = run.check()
    assert checked.findings == []
    assert checked.windows["not read, and named so"] == 4


def test_a_batch_of_the_journal_may_lack_a_payment_whose_id_was_used(run: SmallRun) -> None:
    (row,) = run.pay()
    fresh, other = run.payment(), row.body | {"nameDest": "other", "amount": 1.0}
    stored = run.store("alpha", fresh, 57)
    run.ask("alpha", [fresh, other], [], status=0)
    assert stored.prediction_id
    assert run.found() == set()

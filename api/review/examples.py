"""Replies of the review routes, as the OpenAPI document shows them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from api.review.csv_export import CsvExport
from api.review.responses import audit_page, case_detail, case_page, feedback_out
from api.sandbox_examples import FEEDBACK, case
from persistence.review.audit import AuditEntry
from persistence.review.cases import Page
from scoring.transaction import PAYSIM


def _as_json(reply: BaseModel) -> dict[str, Any]:
    return reply.model_dump(mode="json", by_alias=True)


WORKLIST = _as_json(case_page(Page([case("TEST-HIGH"), case("TEST-REVIEW")], next=None), None))
FOUND = _as_json(case_page(Page([case("TEST-HIGH", FEEDBACK)], next=None), None))
CASE = _as_json(case_detail(case("TEST-HIGH", FEEDBACK)))
STORED_FEEDBACK = _as_json(feedback_out(FEEDBACK))
_EXPORT = CsvExport(PAYSIM)
CSV = (
    _EXPORT.header() + _EXPORT.lines([case("TEST-HIGH", FEEDBACK), case("TEST-REVIEW")])
).decode()
AUDIT_PAGE = _as_json(
    audit_page(
        Page(
            [
                AuditEntry(
                    id=12,
                    at=datetime(2026, 1, 31, 9, 0, 0, tzinfo=UTC),
                    actor="jane",
                    via="mlflow",
                    object="promotions/fraud-demo",
                    action="promotion.changed",
                    before={"name": "fraud-demo", "version": 2},
                    after={"name": "fraud-demo", "version": 3},
                )
            ],
            next=None,
        ),
        None,
    )
)

"""Metrics and documentation are open, closed, or open to a token."""

from __future__ import annotations

import pytest
from starlette.exceptions import HTTPException

from app.open_paths import OpenPaths
from scoring.errors import Unauthenticated

TOKEN = "a token of the tests"
EVERY_PATH = (
    "/",
    "/docs",
    "/openapi.json",
    "/static_content/x.css",
    "/metrics",
    "/livez",
    "/score",
)


def test_everything_is_open_by_default() -> None:
    assert {OpenPaths().refusal(path, None) for path in EVERY_PATH} == {None}


def test_closed_documentation_is_404_and_nothing_else_is() -> None:
    paths = OpenPaths(docs=False)
    refused = [path for path in EVERY_PATH if isinstance(paths.refusal(path, None), HTTPException)]
    assert refused == ["/", "/docs", "/openapi.json", "/static_content/x.css"]


def test_closed_metrics_are_404_also_with_the_token() -> None:
    error = OpenPaths(metrics=False, metrics_token=TOKEN).refusal("/metrics", f"Bearer {TOKEN}")
    assert isinstance(error, HTTPException)
    assert error.status_code == 404


@pytest.mark.parametrize(
    "sent", [None, "", "Bearer", "Bearer ", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer é"]
)
def test_metrics_with_a_token_refuse_every_other_one(sent: str | None) -> None:
    error = OpenPaths(metrics_token=TOKEN).refusal("/metrics", sent)
    assert isinstance(error, Unauthenticated)
    assert TOKEN not in str(error)


def test_metrics_with_a_token_are_open_to_it() -> None:
    paths = OpenPaths(metrics_token=TOKEN)
    assert paths.refusal("/metrics", f"Bearer {TOKEN}") is None
    assert TOKEN not in repr(paths)

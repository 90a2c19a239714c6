"""GET /metrics counts decisions, promotions and stages, with a bounded number of series."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

from prometheus_client.parser import text_string_to_metric_families

from tests.support.factories import a_body
from tests.support.load import request, send
from tests.support.observability.observed_service import MODEL, Watched

Series = tuple[str, frozenset[tuple[str, str]]]


def samples(text: str) -> dict[Series, float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(watched: Watched, name: str, **labels: str) -> float:
    """Return a series' value; 0, where it has not begun."""
    return samples(watched.metrics()).get((name, frozenset(labels.items())), 0.0)


def until(watched: Watched, reached: Callable[[], bool]) -> None:
    """Wait until the metrics show it: a batch is counted once it has been answered."""
    watched.service.child.wait_until(reached, 5)


def test_ten_thousand_ids_and_unknown_paths_make_no_new_series(watched: Watched) -> None:
    key = {"Authorization": f"Bearer {watched.review_key}"}

    def strangers(count: int) -> list[bytes]:
        """Requests of which no two share an id, a path or a header's value."""
        ids = [str(uuid4()) for _ in range(count)]
        bodies = [watched.payments(1, X_Request_ID=i, Idempotency_Key=i)[0] for i in ids[::20]]
        return [
            *bodies,
            *(request("GET", f"/transactions/{i}", **key) for i in ids[::8]),
            *(request("POST", f"/transactions/{i}/feedback", b"{}", **key) for i in ids[::20]),
            *(request("GET", f"/{i}") for i in ids[::2]),
            *(request("GET", f"/score/{i}?a={i}") for i in ids[::4]),
            *(request("PROPFIND", f"/queue/{i}", **key) for i in ids[::10]),
        ]

    send(watched.service.url, strangers(80))
    before = samples(watched.metrics())
    requests = strangers(10_000)
    assert len(requests) >= 10_000
    statuses = send(watched.service.url, requests)
    assert len(statuses) == len(requests)
    assert set(statuses) == {200, 404, 422}
    after = before

    def counted() -> float:
        nonlocal after
        after = samples(watched.metrics())
        names = [name for name in after if name[0] == "sentinel_requests_total"]
        return sum(after[name] - before.get(name, 0) for name in names)

    until(watched, lambda: counted() >= len(requests))
    assert after.keys() == before.keys()


def test_the_production_version_is_a_metric_by_model(watched: Watched) -> None:
    assert value(watched, "sentinel_model_version", model=MODEL) == 2.0


def test_each_promotion_and_each_refusal_is_counted(watched: Watched) -> None:
    assert value(watched, "sentinel_model_swaps_total", model=MODEL) == 1.0
    assert value(watched, "sentinel_model_refusals_total", model=MODEL) == 1.0


def test_every_decision_is_counted_by_model_and_outcome(watched: Watched) -> None:
    def decided() -> dict[str, float]:
        return {
            name: value(watched, "sentinel_decisions_total", model=MODEL, decision=name)
            for name in ("approve", "review")
        }

    before = decided()
    bodies = [a_body(type=kind) for kind in ("PAYMENT", "TRANSFER", "PAYMENT", "CASH_IN")]
    replies = [watched.service.post("/score", body, watched.key).json() for body in bodies]
    decisions = [reply["decision"] for reply in replies]
    assert set(decisions) == {"approve", "review"}
    expected = {name: before[name] + decisions.count(name) for name in before}
    until(watched, lambda: decided() == expected)


def test_a_repeated_request_is_counted_once(watched: Watched) -> None:
    body = a_body(external_id="once-only")

    def reviewed() -> float:
        return value(watched, "sentinel_decisions_total", model=MODEL, decision="review")

    before = reviewed()
    first = watched.service.post("/score", body, watched.key).json()
    again = watched.service.post("/score", body, watched.key).json()
    assert again["prediction_id"] == first["prediction_id"]
    # Batches are reported in order: with this one counted, the repeated one would be counted too.
    watched.service.post("/score", body | {"external_id": "another"}, watched.key)
    until(watched, lambda: reviewed() >= before + 2)
    assert reviewed() == before + 2


def test_an_explanation_is_not_counted_as_a_decision(watched: Watched) -> None:
    before = samples(watched.metrics())
    watched.service.post("/explain", {"transaction": a_body()}, watched.key)
    rows = "sentinel_batch_rows_sum", frozenset({("api", "explain")})
    until(watched, lambda: samples(watched.metrics()).get(rows) == before.get(rows, 0) + 1)
    after = samples(watched.metrics())
    decisions = [series for series in after if series[0] == "sentinel_decisions_total"]
    assert [after[series] for series in decisions] == [before[series] for series in decisions]


def test_the_stages_of_a_batch_are_timed_and_its_rows_counted(watched: Watched) -> None:
    stages = {
        dict(labels)["stage"]
        for name, labels in samples(watched.metrics())
        if name == "sentinel_stage_duration_seconds_count"
    }
    assert stages == {"batch_wait", "features", "score_explain", "decide", "store"}
    before = value(watched, "sentinel_batch_rows_sum", api="score")
    send(watched.service.url, watched.payments(40))
    until(watched, lambda: value(watched, "sentinel_batch_rows_sum", api="score") == before + 40)

"""The log: one JSON record a line, request ids, and no personal data."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from observability import logging as logs
from serving.schemas import TransactionIn
from tests.support.factories import a_body
from tests.support.load import send
from tests.support.observability.observed_service import Watched

Log = Callable[..., logging.Logger]
PERSON = "C1305486145"
STAGES = {"batch_wait", "features", "score_explain", "decide", "store"}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def log(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> Iterator[Log]:
    """Set the log of this process up as a service does; afterwards it is as it was."""
    monkeypatch.setenv("MLFLOW_CONFIGURE_LOGGING", "false")  # as `set_up` does, until the end
    names = [None, "sentinel", *logs.SERVERS]
    loggers = [logging.getLogger(name) for name in names]
    before = [(x, x.level, x.handlers[:], x.propagate) for x in loggers]

    def set_up(
        how: logs.Format | None = "json",
        level: logs.Level = "info",
        to: io.StringIO | None = None,
    ) -> logging.Logger:
        logs.set_up(how, level, to or stream)
        return logging.getLogger("sentinel.tests")

    yield set_up
    for logger, level, handlers, propagate in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers
        logger.propagate = propagate


def written(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_record_is_one_line_of_json(log: Log, stream: io.StringIO) -> None:
    log().info("%s is\nhere", "version 3", extra={"fields": {"rows": 30}})
    (line,) = written(stream)
    assert abs(datetime.now().astimezone() - datetime.fromisoformat(line.pop("ts"))) < timedelta(
        minutes=1
    )
    assert line == {
        "level": "INFO",
        "logger": "sentinel.tests",
        "message": "version 3 is\nhere",
        "rows": 30,
    }


def test_a_failure_is_one_line_with_its_traceback_and_its_cause(
    log: Log, stream: io.StringIO
) -> None:
    logger = log()
    try:
        try:
            int("seven")
        except ValueError as error:
            raise RuntimeError("no count") from error
    except RuntimeError:
        logger.exception("counting failed")
    (line,) = written(stream)
    assert line["message"] == "counting failed"
    assert "builtins.ValueError: invalid literal for int()" in line["error"]
    assert line["error"].endswith("builtins.RuntimeError: no count")
    assert "test_logs.py" in line["error"]


def test_on_a_terminal_the_log_is_text(log: Log) -> None:
    terminal = Terminal()
    log(None, "info", terminal).info("version %d", 3, extra={"fields": {"rows": 30}})
    assert terminal.getvalue().endswith("INFO sentinel.tests: version 3 rows=30\n")


def test_without_a_terminal_the_log_is_json(log: Log, stream: io.StringIO) -> None:
    log(None).info("here")
    assert written(stream)[0]["message"] == "here"


def test_records_below_the_level_are_not_written(log: Log, stream: io.StringIO) -> None:
    logger = log("json", "warning")
    logger.info("no")
    logger.warning("yes")
    logging.getLogger("some.library").info("no")
    logging.getLogger("bentoml").warning("yes")
    assert [line["message"] for line in written(stream)] == ["yes", "yes"]


def told_of(error: BaseException, logger: logging.Logger) -> None:
    """Log an error both ways."""
    try:
        raise error
    except type(error):
        logger.exception("refused: %s", error)


def test_a_row_that_postgres_refuses_is_not_quoted(
    log: Log, stream: io.StringIO, engine: Engine
) -> None:
    logger = log()
    with engine.begin() as connection:
        connection.execute(text("CREATE TEMP TABLE t (name text CHECK (name = ''))"))
        insert = text("INSERT INTO t VALUES (:name)")
        with pytest.raises(DBAPIError) as refused:
            connection.execute(insert, {"name": PERSON})
    assert PERSON in str(refused.value)
    assert PERSON in str(refused.value.orig)
    told_of(refused.value, logger)
    assert PERSON not in stream.getvalue()
    (line,) = written(stream)
    assert line["message"] == "refused: SQLSTATE 23514"
    assert "psycopg.errors.CheckViolation: SQLSTATE 23514" in line["error"]
    assert line["error"].endswith("sqlalchemy.exc.IntegrityError: SQLSTATE 23514")


def test_an_invalid_value_of_a_caller_is_not_quoted(log: Log, stream: io.StringIO) -> None:
    logger = log()
    with pytest.raises(ValidationError) as refused:
        TransactionIn.model_validate(a_body(nameOrig=f"{PERSON} Doe"))
    assert PERSON in str(refused.value)
    told_of(refused.value, logger)
    assert PERSON not in stream.getvalue()
    assert written(stream)[0]["message"] == "refused: not valid"


def lines_of(watched: Watched, ids: list[str]) -> list[dict[str, Any]]:
    """Return the lines of these requests' batches, once all are there: soon after the answers."""
    lines: list[dict[str, Any]] = []

    def are_told() -> bool:
        records = [line for line in watched.log() if line["logger"] == "sentinel.batches"]
        lines[:] = [line for line in records if set(ids) & set(line["request_ids"])]
        return set(ids) <= {i for line in lines for i in line["request_ids"]}

    watched.service.child.wait_until(are_told, 5)
    return lines


def test_every_line_of_a_service_is_json(watched: Watched) -> None:
    loggers = {line["logger"] for line in watched.log()}
    assert {"bentoml.serve", "sentinel.registry", "sentinel.batches"} <= loggers


def test_a_batch_is_one_line_with_the_ids_of_its_requests(watched: Watched) -> None:
    reply = watched.service.post(
        "/score", a_body(), watched.key, headers={"X-Request-ID": "till-7/000123"}
    )
    assert reply.headers["x-request-id"] == "till-7/000123"
    (line,) = lines_of(watched, ["till-7/000123"])
    assert line.keys() >= {"ts", "level", "logger", "message"}
    assert line["api"] == "score"
    assert (line["requests"], line["rows"], line["tenants"], line["failed"]) == (1, 1, 1, 0)
    assert line["request_ids"] == ["till-7/000123"]
    model = reply.json()["model"]
    assert line["models"] == [f"{model['name']}/{model['version']}"]
    assert line["stages_ms"].keys() == STAGES
    assert all(0 <= ms < 10_000 for ms in line["stages_ms"].values())


def test_under_load_every_request_is_in_exactly_one_batch_line(watched: Watched) -> None:
    ids = [f"load-{i}" for i in range(400)]
    requests = [watched.payments(1, X_Request_ID=i)[0] for i in ids]
    assert set(send(watched.service.url, requests)) == {200}
    lines = lines_of(watched, ids)
    assert sorted(i for line in lines for i in line["request_ids"]) == sorted(ids)
    assert len(lines) < len(ids)


def test_every_reply_has_a_request_id_also_an_error(watched: Watched) -> None:
    client = watched.service.client
    given = {"X-Request-ID": "mine"}
    for reply in (
        client.get("/livez", headers=given),
        client.get("/no/such/route", headers=given),
        client.get("/queue", headers=given),
        client.post("/score", json={}, headers=given),
        client.get("/score", headers=given),
        watched.service.post("/score", a_body(amount=-1), watched.key, headers=given),
    ):
        assert reply.headers.get_list("x-request-id") == ["mine"], reply.request.url
    made = client.get("/livez").headers["x-request-id"]
    assert made != client.get("/livez").headers["x-request-id"]


def test_nothing_personal_is_in_the_log(watched: Watched) -> None:
    secrets = {"nameOrig": "C7777777771", "nameDest": "C8888888882", "amount": 98765.43}
    watched.service.post("/score", a_body(**secrets), watched.key)
    watched.service.post("/score", a_body(**secrets | {"amount": -98765.43}), watched.key)
    watched.service.post("/score", a_body(**secrets, external_id="order-4711"), "sk_wrong")
    last = watched.service.post("/score", a_body(**secrets, external_id="order-4711"), watched.key)
    child = watched.service.child
    child.wait_until(lambda: last.headers["x-request-id"] in child.log.read_text(), 5)
    log = child.log.read_text()
    for personal in ("C7777777771", "C8888888882", "98765.43", "order-4711", watched.key):
        assert personal not in log

"""Compare JSON formatters: ours, python-json-logger and structlog, all with our redaction."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from benchmarks.libraries.timing import in_turn, show
from observability import logging as ours

_FIELDS = {
    "api": "score",
    "requests": 12,
    "rows": 12,
    "tenants": 1,
    "failed": 0,
    "models": ["fraud/3"],
    "stages_ms": {
        "batch_wait": 0.12,
        "features": 0.03,
        "score_explain": 0.2,
        "decide": 0.1,
        "store": 1.2,
    },
    "request_ids": [f"01a20954-307f-76ad-bbfb-c426daea33{i:02}" for i in range(12)],
}
# In two parts, so that the traceback's source lines do not contain it.
_ACCOUNT = "".join(["C130", "5486145"])


def compare(calls: int, rounds: int) -> None:
    """Print each formatter's output for a batch and an error, and the time of a line."""
    ways: dict[str, Callable[[], object]] = {}
    for name, formatter in _formatters().items():
        stream = io.StringIO()
        handler = logging.StreamHandler(stream)
        handler.setFormatter(formatter)
        logger = logging.Logger(f"benchmarks.{name}")
        logger.addHandler(handler)
        logger.info("batch", extra={"fields": _FIELDS})
        try:
            TypeAdapter(int).validate_python(_ACCOUNT)
        except ValidationError as error:  # its text quotes the account
            logger.exception("refused: %s", error)  # noqa: TRY401 - the redaction is tried
        batch, failure = map(json.loads, stream.getvalue().splitlines())
        is_redacted = _ACCOUNT not in stream.getvalue()
        print(f"{name}: redacted: {is_redacted}; {failure['message']!r}; {list(batch)}")
        ways[name] = _writing(logger, stream)
    show("a batch's line", in_turn(ways, calls // 10, rounds), "ns")


def _writing(logger: logging.Logger, stream: io.StringIO) -> Callable[[], object]:
    def write() -> None:
        stream.seek(0)
        logger.info("batch", extra={"fields": _FIELDS})

    return write


def _formatters() -> dict[str, logging.Formatter]:
    import structlog
    from pythonjsonlogger.orjson import OrjsonFormatter

    class ByPythonJsonLogger(OrjsonFormatter):
        def __init__(self) -> None:
            super().__init__(
                ["levelname", "name", "message"],
                timestamp="ts",
                rename_fields={"levelname": "level", "name": "logger", "exc_info": "error"},
            )

        def format(self, record: logging.LogRecord) -> str:
            if record.args:
                record.msg, record.args = ours._message(record), None
            return super().format(record)

        def formatException(self, ei: Any) -> str:  # noqa: ANN401, N802 - the library's
            return "\n".join(ours._traceback(ei[1]))

        def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
            log_data |= log_data.pop("fields", {})
            return log_data

        def jsonify_log_record(self, log_data: dict[str, Any]) -> str:
            # The library's method lacks OPT_UTC_Z.
            return orjson.dumps(log_data, default=str, option=orjson.OPT_UTC_Z).decode()

    def members(_logger: object, _name: str, event: dict[str, Any]) -> dict[str, Any]:
        record, error = event.pop("_record"), event.get("exc_info", (None, None))[1]
        record.args = event["positional_args"]
        line = {
            "ts": event["timestamp"],
            "level": record.levelname,
            "logger": record.name,
            "message": ours._message(record),
        } | getattr(record, "fields", {})
        record.args = ()
        if error:
            line["error"] = "\n".join(ours._traceback(error))
        return line

    by_structlog: logging.Formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.processors.TimeStamper(fmt="iso", utc=True)],
        processors=[members, lambda _l, _n, line: orjson.dumps(line, default=str).decode()],
        # Otherwise the message would contain the error's text.
        use_get_message=False,
        pass_foreign_args=True,
    )
    return {
        "ours": ours.JsonFormatter(),
        "python-json-logger": ByPythonJsonLogger(),
        "structlog": by_structlog,
    }

"""A registered model may have any name: it stays in its place in the log and in the metrics."""

from __future__ import annotations

import io
import json
import logging

import pytest
from prometheus_client.parser import text_string_to_metric_families

from observability.logging import JsonFormatter, TextFormatter
from observability.runtime_metrics import LiveMetrics

NAME = 'a"b\\c\nERROR sentinel: forged\r\x1b[31m {x="y"} ü'


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_a_record_is_one_line(formatter: logging.Formatter) -> None:
    record = logging.LogRecord("sentinel", logging.INFO, "", 0, "%s moved", (NAME,), None)
    record.fields = {"model": NAME}
    line = formatter.format(record)
    assert len(line.splitlines()) == 1
    assert "\x1b" not in line
    if isinstance(formatter, JsonFormatter):
        assert json.loads(line)["model"] == NAME


def test_a_label_holds_any_name() -> None:
    families = text_string_to_metric_families(LiveMetrics({}, lambda: {NAME: 3}).exposition())
    (sample,) = next(f for f in families if f.name == "sentinel_model_version").samples
    assert (sample.labels, sample.value) == ({"model": NAME}, 3)


def test_the_text_of_a_traceback_keeps_its_lines() -> None:
    stream = io.StringIO()
    logger = logging.Logger("sentinel")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(TextFormatter())
    logger.addHandler(handler)
    try:
        raise KeyError(NAME)
    except KeyError:
        logger.exception("failed")
    assert len(stream.getvalue().splitlines()) > 2

"""The figures that README and docs/performance.md print are those of the recorded results."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import pytest

from benchmarks.reporting.report import BEGIN, END, figures
from tests.support.paths import PROJECT

LATEST: dict[str, Any] = json.loads((PROJECT / "benchmarks/results/latest.json").read_text())
STORE: dict[str, Any] = json.loads((PROJECT / "benchmarks/results/store.json").read_text())
README = (PROJECT / "README.md").read_text()
NUMBER = re.compile(r"(?<![\w.,/])\d[\d,]*(?:\.\d+)?")
OPERATIONS = {
    "a page of the worklist": "queue page of 50",
    "one case": "transaction page",
    "an `external_id` looked up": "idempotency look-up",
    "a batch of 64 written": "write of 64",
}
CELLS = {
    "`/score`, 1 client, p50": ("score_c1", "p50_ms"),
    "`/score`, 64 clients, a second": ("score_c64", "requests_per_s"),
    "`/score`, 64 clients, p99": ("score_c64", "p99_ms"),
    "`/score/batch` of 1000, rows a second": ("batch_1000", "rows_per_s"),
}


def is_printed(text: str, value: float) -> bool:
    """Whether a printed number is the value, rounded to the digits that are printed."""
    printed = Decimal(text.replace(",", ""))
    exponent = printed.as_tuple().exponent
    assert isinstance(exponent, int)
    return abs(Decimal(str(value)) - printed) <= Decimal(1).scaleb(exponent) / 2


def rows(heading: str) -> list[list[str]]:
    """The cells of the README's table that begins with a heading row."""
    lines = README[README.index(heading) :].splitlines()[2:]
    table = []
    for line in lines:
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in line.strip("|").split("|")])
    return table


def measured(path: str) -> float:
    value: Any = LATEST
    for key in path.split("."):
        value = value[key]
    return float(value)


PERFORMANCE = rows("| | Sentinel | reference | INSERT-only | target | measured |")


def test_performance_md_holds_what_the_results_render_to() -> None:
    page = (PROJECT / "docs/performance.md").read_text()
    assert page.split(BEGIN)[1].split(END)[0].strip() == figures(LATEST).strip()


def test_every_measured_ratio_of_the_readme_is_a_recorded_one_of_the_same_target() -> None:
    targets = {target["figure"]: target for target in LATEST["targets"]}
    printed = [number for row in PERFORMANCE for number in NUMBER.findall(row[5])]
    expected = [
        "ratios.score_p50_c1_vs_reference_one_thread",
        "ratios.score_p50_c1_vs_insert_only",
        "ratios.score_rps_c64_vs_reference_one_thread",
        "ratios.score_rps_c64_vs_insert_only",
        "ratios.score_p99_c64_vs_insert_only",
        "ratios.batch1000_rows_vs_reference_one_thread",
        "ratios.shap_b1_vs_pred_contrib",
        "ratios.shap_b64_vs_pred_contrib",
        "explanation.large.rows.1.times_faster",
        "explanation.large.rows.64.times_faster",
        "absolute.cpu_ms_per_score",
        "absolute.rss_mb",
        "absolute.ready_s",
    ]
    wrong = {
        name: (number, measured(name))
        for name, number in zip(expected, printed, strict=True)
        if not is_printed(number, measured(name))
    }
    assert wrong == {}
    limits = [number for row in PERFORMANCE for number in NUMBER.findall(row[4])]
    assert limits == [str(targets[name]["target"]).split()[-1] for name in expected]


@pytest.mark.parametrize("label", CELLS)
def test_the_readmes_figure_of_each_system_is_the_recorded_one(label: str) -> None:
    cell, figure = CELLS[label]
    (row,) = (row for row in PERFORMANCE if row[0] == label)
    service = LATEST["ratios_are_of"]["service_at_64_clients"] if "64" in label else "sentinel"
    systems = (service, "reference_one_thread", "insert_only")
    for system, text in zip(systems, row[1:4], strict=True):
        if text:
            recorded = LATEST["systems"][system]["medium"][cell][figure]
            assert is_printed(NUMBER.findall(text)[0], recorded), (system, text, recorded)


@pytest.mark.parametrize("label", OPERATIONS)
def test_the_store_table_of_the_readme_is_the_recorded_one(label: str) -> None:
    recorded = STORE["operations"][OPERATIONS[label]]
    values = [*recorded["median_ms"].values(), recorded["ratio"]]
    (row,) = (
        row for row in rows("| | at 100 thousand | at 10 million | ratio |") if row[0] == label
    )
    numbers = [NUMBER.findall(cell)[0] for cell in row[1:]]
    assert [is_printed(*pair) for pair in zip(numbers, values, strict=True)] == [True] * 3, values


def test_a_number_that_was_typed_differently_is_found() -> None:
    assert is_printed("12", 11.596)
    assert is_printed("6,688", 6687.7)
    assert not is_printed("11", 11.596)
    assert not is_printed("1.84", 1.834)

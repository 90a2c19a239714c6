"""How pytest-xdist shares tests between processes: a file stays whole, and long ones begin.

A file's module-scoped fixtures hold a running service, so its tests belong on one process.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

# Until the tests begin: what is imported and collected stays, and looking through it took 0.7 s.
gc.disable()

FOLDERS = ("tests/e2e/observability",)
"""Folders whose files share one running service (a fixture of scope `package`)."""

LONGEST_FIRST = (
    # The first three compile Numba's kernels; later files find them in the cache. The third follows
    # the first on one of two workers: 12 s were spent where both compiled the same kernels at once.
    "tests/unit/scoring/windows/test_point_in_time.py",
    "tests/unit/scoring/explain/test_treeshap_models.py",
    "tests/unit/scoring/feature_set/test_prepared_entity.py",
    "tests/unit/training/search/test_study.py",
    "tests/unit/scoring/evaluation/test_weighted_intervals.py",
    "tests/unit/scoring/expressions/test_any_text.py",
    "tests/unit/registry/test_signature.py",
    "tests/unit/scoring/expressions/test_against_naive_interpreter.py",
    "tests/unit/scoring/evaluation/test_comparison.py",
    "tests/unit/training/pipeline/test_monotone_features.py",
    "tests/unit/benchmarks/test_libraries.py",
    "tests/unit/scoring/expressions/test_single_event.py",
    "tests/unit/scoring/test_features.py",
    "tests/unit/training/event_types/test_load_events.py",
    "tests/unit/training/reporting/test_plots.py",
    "tests/e2e/sentinel/test_demo.py",
    "tests/e2e/benchmarks/test_bench.py",
    "tests/e2e/http/test_contract.py",
    "tests/e2e/deploy/test_rolling_update.py",
    "tests/integration/training/test_train_command.py",
    "tests/integration/training/test_tune.py",
    "tests/e2e/sentinel/test_demo_own_file.py",
    "tests/e2e/docs/test_readme.py",
    "tests/e2e/serving/test_failures.py",
    "tests/e2e/serving/test_many_tenants.py",
    "tests/e2e/observability",
    "tests/integration/training/test_recalibrate.py",
    "tests/integration/sentinel/test_mlflow_server.py",
    "tests/e2e/operations/test_backup.py",
    "tests/e2e/serving/test_promotion.py",
    "tests/e2e/browser/test_promotion_in_mlflow_ui.py",
    "tests/integration/registry/test_model_store.py",
    "tests/integration/sentinel/test_embedded_postgres.py",
    "tests/integration/sentinel/test_drift_monitor.py",
    "tests/integration/benchmarks/test_store.py",
)
"""Files and folders to begin with, by measured time: a long one that begins last ends alone."""


def group_of(nodeid: str) -> str:
    """Tests of one group run on one process, in order."""
    file = nodeid.partition("::")[0]
    return next((folder for folder in FOLDERS if file.startswith(f"{folder}/")), file)


def rank(nodeid: str) -> int:
    """The place of a test's group in `LONGEST_FIRST`, or behind all of them."""
    group = group_of(nodeid)
    return LONGEST_FIRST.index(group) if group in LONGEST_FIRST else len(LONGEST_FIRST)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):  # alone, files run in the order in which they were named
        items.sort(key=lambda item: rank(item.nodeid))


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    """Keep the collector from what was imported: 600,000 objects, 0.3 s a full collection."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    from xdist.scheduler import LoadScopeScheduling

    class GroupScheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    config.option.loadscopereorder = False  # by number of tests, which says little about time
    return GroupScheduling(config, log)

"""A file is accepted by the event type that was inferred from it."""

from __future__ import annotations

import random
from pathlib import Path

import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from scoring.event_type.document import from_document
from tests.support.data.event_files import write_csv
from training.event_types.draft import write_draft
from training.event_types.infer import infer
from training.event_types.loading import load_events

CELLS = {
    "numbers": ["1", "0", "-2.5", "1e5", "007", "9007199254740993", "1,5", "1,234", "1e400", "+3"],
    "times": ["2026-03-31", "2026-03-31T12:00:00Z", "1960-01-01", "1774958400", "2026-02-30"],
    "words": ["yes", "no", "true", "False", "a", "é", " a ", "a\tb", "a\x7f", "x" * 300, "\u200b"],
    "missing": ["", "NA", "?", "-", "null"],
    "long": ["y" * 5000, "31/03/2026", "01.04.26"],
}
POOLS = [
    *(CELLS["missing"] + pool for pool in CELLS.values()),
    *CELLS.values(),
    [cell for pool in CELLS.values() for cell in pool],
]
ROWS = 60
COLUMNS = st.builds(
    lambda pool, seed: random.Random(seed).choices(pool, k=ROWS),  # noqa: S311 - no secret
    st.sampled_from(POOLS),
    st.integers(0, 2**32),
)
NAMES = st.sampled_from(
    ["x", "customer_id", "card", "amount", "total", "created_at", "time", "TX_FRAUD", "id", "no"]
) | st.text("ab-.é# ", min_size=1, max_size=5).map(str.strip).filter(bool)
LABEL = ["1" if i % 5 == 0 else "0" for i in range(ROWS)]


@given(
    st.dictionaries(NAMES, COLUMNS, min_size=1, max_size=4),
    st.sampled_from([",", ";", "\t", "|"]),
)
@example({"time": ["1960-01-01"] * ROWS, "x": ["1,234", "5"] * 30}, ";")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_file_that_becomes_a_draft_can_be_loaded(
    tmp_path: Path, columns: dict[str, list[str]], separator: str
) -> None:
    path = write_csv(tmp_path / "a.csv", columns | {"y": LABEL}, separator=separator, quote='"')
    draft = infer(path, "y")
    assert from_document(yaml.safe_load(write_draft(draft))) == draft.event_type
    time = next((f.name for f in draft.event_type.fields if f.role == "time"), None)
    if time is not None and "will be refused" in " ".join(draft.field_comments[time]):
        return
    data = load_events(path, draft.event_type)
    assert len(data) == ROWS
    assert list(data.columns) == [f.name for f in draft.event_type.fields if not f.ignored]

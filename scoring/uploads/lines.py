"""The lines of the files that an upload results in: what was decided, and what was rejected.

Each repeats the input's cells as they are written there, and adds cells behind them. A cell that a
spreadsheet would run as a formula gets an apostrophe in front; a number, also a negative one,
and a word for no value, such as a dash, do not.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from scoring.prediction import Prediction
from scoring.reasons import reasons
from scoring.rules.verdict import BY_MODEL
from scoring.tables.csv_rows import Row
from scoring.tables.formulas import defused
from scoring.tables.missing_words import is_missing_word
from scoring.tables.written_numbers import is_number
from scoring.uploads.row_reader import Fault
from scoring.uploads.table import Shape

RESULT_COLUMNS = ("score", "outcome", "risk_band", "decided_by", "reasons", "transaction_id")
REJECT_COLUMNS = ("row", "line", "error", "extra_cells")
_BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"


def header_line(shape: Shape, added: Sequence[str]) -> bytes:
    """Return the first line of a file; before a name that is there already comes `sentinel_`.

    Args:
        shape: how the input is written.
        added: names of the columns behind those of the input.
    """
    begin = _BOM if shape.has_bom else ""
    names = [_safe(name) for name in shape.columns]
    taken = {*names, *shape.columns}
    for name in added:
        while name in taken:
            name = f"sentinel_{name}"
        names.append(name)
    return begin.encode() + _line(shape.separator, names)


def removed_line(shape: Shape, added: Sequence[str]) -> bytes:
    """Return the last line of a file whose rest was removed while it was sent.

    It has as many cells as a row, so that a strict reader takes the file.

    Args:
        shape: how the input is written.
        added: names of the columns behind those of the input.
    """
    first = "the rows from here on were removed, since the time that files are kept is over"
    others = len(shape.columns) + len(added) - 1
    return _line(shape.separator, [first, *[""] * others])


def result_line(
    separator: str, cells: Sequence[str], prediction: Prediction, transaction_id: UUID
) -> bytes:
    """Return the line of a row that was decided.

    Args:
        separator: separator of the input's cells.
        cells: the input's cells.
        prediction: score and decision.
        transaction_id: id of the stored transaction.
    """
    return _line(
        separator,
        [
            *map(_safe, cells),
            prediction.score,
            prediction.decision,
            prediction.risk_band,
            decided_by(prediction),
            defused(" ".join(reasons(prediction))),
            str(transaction_id),
        ],
    )


def reject_line(separator: str, row: Row, faults: Sequence[Fault]) -> bytes:
    """Return the line of a row that was rejected.

    Args:
        separator: separator of the input's cells.
        row: the row, with its number and the line on which it begins.
        faults: what is wrong with it.
    """
    words = "; ".join(" ".join(filter(None, (one.field, one.reason))) for one in faults)
    extra = separator.join(row.extra)
    return _line(
        separator,
        [*map(_safe, row.cells), row.number, row.line or "", defused(words), _safe(extra)],
    )


def decided_by(prediction: Prediction) -> str:
    """Return what decided, such as `model` or `rule 12 version 3`."""
    return (prediction.ruling.verdict.decided_by if prediction.ruling else BY_MODEL).words


def _safe(cell: str) -> str:
    return cell if is_number(cell) or is_missing_word(cell) else defused(cell)


def _line(separator: str, cells: Sequence[Any]) -> bytes:
    line = io.StringIO(newline="")
    csv.writer(line, delimiter=separator, quoting=csv.QUOTE_NONNUMERIC).writerow(cells)
    return line.getvalue().encode(errors="surrogateescape")

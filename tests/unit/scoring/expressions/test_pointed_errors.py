"""An error as text: the line of the expression, carets under the part, the sentence."""

from __future__ import annotations

from tests.support.expressions.errors import error_of


def test_the_rendering_has_carets_under_the_part() -> None:
    assert error_of("1 + TX_AMUONT\n* 2").pointed() == (
        "1 + TX_AMUONT * 2\n    ^^^^^^^^^\nThere is no field `TX_AMUONT`. Did you mean `TX_AMOUNT`?"
    )


def test_the_rendering_counts_characters_and_not_bytes() -> None:
    assert error_of("NOTE == 'é😀' and zzz").pointed() == (
        "NOTE == 'é😀' and zzz\n                 ^^^\nThere is no field `zzz`."
    )


def test_the_rendering_shows_the_surroundings_in_a_long_expression() -> None:
    source = " + ".join(["TX_AMOUNT"] * 40) + " + zzz + " + " + ".join(["TX_AMOUNT"] * 40)
    line, carets, _ = error_of(source).pointed().split("\n")
    assert line.startswith("…")
    assert line.endswith("…")
    assert len(line) <= 92
    assert line[carets.index("^") : carets.rindex("^") + 1] == "zzz"

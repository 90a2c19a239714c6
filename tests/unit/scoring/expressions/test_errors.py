"""What the language refuses, the sentence that it gives, and the part that it points at."""

from __future__ import annotations

import pytest

from scoring.errors import InvalidExpression
from scoring.event_type.fields import EventType
from scoring.expressions import MAX_DEPTH, MAX_LENGTH, MAX_WINDOWS, compile_expression
from tests.support.expressions.events import a_field

EVENT_TYPE = EventType(
    "card_payment",
    "TX_FRAUD",
    (
        a_field("TX_DATETIME", "timestamp", role="time"),
        a_field("BIRTH", "timestamp"),
        a_field("CUSTOMER_ID", "entity", entity="customer"),
        a_field("TERMINAL_ID", "entity", entity="terminal"),
        a_field("TX_AMOUNT", "number"),
        a_field("FLAG", "boolean"),
        a_field("CHANNEL", "category", values=("pos", "web")),
        a_field("SHOP", "category"),
        a_field("NOTE", "text"),
        a_field("DROPPED", "number", ignored=True),
    ),
)


def error_of(source: str, *, is_stateless: bool = False) -> InvalidExpression:
    with pytest.raises(InvalidExpression) as caught:
        compile_expression(source, EVENT_TYPE, is_stateless=is_stateless)
    return caught.value


# Each source marks the offending part with «».
@pytest.mark.parametrize(
    ("marked", "message"),
    [
        ("1 + «TX_AMUONT»", "There is no field `TX_AMUONT`. Did you mean `TX_AMOUNT`?"),
        ("«tx_amount» > 1", "There is no field `tx_amount`. Did you mean `TX_AMOUNT`?"),
        ("«zzz» > 1", "There is no field `zzz`."),
        ("«field('zzz')» > 1", "There is no field `zzz`."),
        (
            "«TX_FRAUD» == 1",
            "`TX_FRAUD` is the label, which is not known when a payment is decided.",
        ),
        ("«DROPPED» + 1", "`DROPPED` is ignored by the event type, so no event has its value."),
        ("«sqr»(TX_AMOUNT)", "There is no function `sqr`. Did you mean `sqrt`?"),
        ("«eval»('1')", "There is no function `eval`."),
        ("«abs(1, 2)»", "Write abs(number); 2 arguments are given."),
        ("«abs()»", "Write abs(number); 0 arguments are given."),
        ("abs(«x=1»)", "abs takes no keyword `x`."),
        (
            "«max(1)»",
            "Write max(a, b), or max(number, by=FIELD, window='30d') for a window.",
        ),
        ("«where(FLAG, 1)»", "Write where(condition, a, b); 2 arguments are given."),
        (
            "where(«TX_AMOUNT», 1, 2)",
            "`TX_AMOUNT` is a number, not a condition; compare it with something.",
        ),
        ("«where(FLAG, NOTE, NOTE)»", "where chooses between numbers, conditions or timestamps."),
        ("«where(FLAG, BIRTH, 1)»", "where chooses between two values of one kind."),
        ("hour(«TX_AMOUNT»)", "`TX_AMOUNT` is a number, not a timestamp."),
        ("code(«CUSTOMER_ID»)", "`CUSTOMER_ID` is not a category, so it has no codes."),
        ("code(«TX_AMOUNT»)", "`TX_AMOUNT` is not a category, entity or text field."),
        (
            "code(«SHOP»)",
            "`SHOP` is an open category; its codes need the feature set's `categories`.",
        ),
        ("starts_with(«TX_AMOUNT», 'M')", "`TX_AMOUNT` is not a category, entity or text field."),
        ("starts_with(NOTE, «FLAG»)", "A prefix is a text in quotes."),
        ("starts_with(NOTE, «''»)", "A prefix has at least one character."),
        ("field(«TX_AMOUNT»)", "A field's name is a text in quotes."),
        (
            "«NOTE» * 2",
            "`NOTE` is a text, not a number; write code(x) for a category's code, "
            "or compare it with a text.",
        ),
        (
            "1 - «TX_DATETIME»",
            "`TX_DATETIME` is a timestamp, not a number; write hour(x) or weekday(x), "
            "or subtract another timestamp.",
        ),
        (
            "TX_DATETIME - «1»",
            "`1` is a number; only another timestamp is subtracted from a timestamp.",
        ),
        (
            "«TX_DATETIME»",
            "The expression is a timestamp, not a number or a condition; write hour(x) or "
            "weekday(x), or subtract another timestamp.",
        ),
        (
            "  «CHANNEL» ",
            "The expression is a text, not a number or a condition; write code(x) for a "
            "category's code, or compare it with a text.",
        ),
        (
            "«'pos'»",
            "The expression is a text, not a number or a condition; write code(x) for a "
            "category's code, or compare it with a text.",
        ),
        ("«'pos'» + 1", "A text in quotes stands only beside a field's name."),
        (
            "«TX_AMOUNT» and FLAG",
            "`TX_AMOUNT` is a number, not a condition; compare it with something.",
        ),
        ("not «1»", "`1` is a number, not a condition; compare it with something."),
        ("TX_AMOUNT == «'5'»", "`TX_AMOUNT` is a number and `'5'` is a text; they do not compare."),
        (
            "TX_DATETIME > «5»",
            "`TX_DATETIME` is a timestamp and `5` is a number; they do not compare.",
        ),
        ("NOTE < «'b'»", "Texts have no order; compare them with `==` or `!=`."),
        ("CUSTOMER_ID == «TERMINAL_ID»", "A field is compared with a text in quotes."),
        ("CHANNEL == «'wbe'»", "`CHANNEL` is never `wbe`. Did you mean `web`?"),
        ("CHANNEL in ['pos', «'atm'»]", "`CHANNEL` is never `atm`."),
        ("TX_AMOUNT in «(1, 2)»", "After `in` stands a list in square brackets, such as [1, 2]."),
        ("TX_AMOUNT in «[]»", "After `in` stands a list in square brackets, such as [1, 2]."),
        ("TX_AMOUNT in [1, «TX_AMOUNT»]", "The list is one of numbers that are written out."),
        ("NOTE in [«1»]", "The list is one of texts in quotes."),
        ("«BIRTH» in [1]", "A timestamp is compared with `<` and `>`, not with `in`."),
        ("«1 < TX_AMOUNT in [1]»", "`in` stands alone; join comparisons with `and`."),
        ("«1e400»", "The number is too large; the largest is 1.79e308."),
        ("«" + "9" * 400 + "»", "The number is too large; the largest is 1.79e308."),
    ],
)
def test_an_error_points_at_the_part_and_gives_a_sentence(marked: str, message: str) -> None:
    source = marked.replace("«", "").replace("»", "")
    error = error_of(source)
    assert error.detail == message
    assert (error.column, error.end_column) == (marked.index("«") + 1, marked.index("»") - 1)
    assert error.status == 422


@pytest.mark.parametrize(
    ("marked", "message"),
    [
        (
            "«count(by=CUSTOMER_ID)»",
            "count needs `window=`; write count(by=FIELD, window='30d').",
        ),
        ("«count(window='1d')»", "count needs `by=`; write count(by=FIELD, window='30d')."),
        (
            "«mean(TX_AMOUNT)»",
            "mean needs `by=`; write mean(number, by=FIELD, window='30d').",
        ),
        (
            "count(by=CUSTOMER_ID, «windw='1d'»)",
            "count takes no keyword `windw`, only `by`, `window`, `where`. Did you mean `window`?",
        ),
        (
            "count(by=CUSTOMER_ID, window='1d', «delay='1d'»)",
            "count takes no keyword `delay`, only `by`, `window`, `where`.",
        ),
        (
            "first_seen(by=CUSTOMER_ID, «window='1d'»)",
            "first_seen takes no keyword `window`, only `by`, `where`.",
        ),
        (
            "count(by=CUSTOMER_ID, window='1d', «window='2d'»)",
            "The keyword `window` is given twice.",
        ),
        (
            "«count(TX_AMOUNT, by=CUSTOMER_ID, window='1d')»",
            "Write count(by=FIELD, window='30d'); 1 argument without a keyword is given.",
        ),
        ("sum(«NOTE», by=CUSTOMER_ID, window='1d')", None),
        (
            "distinct(«TX_AMOUNT + 1», by=CUSTOMER_ID, window='1d')",
            "distinct counts the values of a field.",
        ),
        (
            "distinct(«NOTE», by=CUSTOMER_ID, window='1d')",
            "`NOTE` is a text; distinct counts categories, entities or numbers.",
        ),
        (
            "count(by=«TX_AMOUNT», window='1d')",
            "`TX_AMOUNT` is not an entity field, so it has no history.",
        ),
        ("count(by=«[]», window='1d')", "`by` is one entity field, or a list of two."),
        (
            "count(by=«[CUSTOMER_ID, TERMINAL_ID, CUSTOMER_ID]», window='1d')",
            "`by` is one entity field, or a list of two.",
        ),
        (
            "count(by=[CUSTOMER_ID, «CUSTOMER_ID»], window='1d')",
            "The two fields of `by` are the same.",
        ),
        (
            "count(by=CUSTOMER_ID, window=«'59s'»)",
            "A window is at least 1 minute ('1m') and at most 90 days ('90d').",
        ),
        (
            "count(by=CUSTOMER_ID, window=«'91d'»)",
            "A window is at least 1 minute ('1m') and at most 90 days ('90d').",
        ),
        (
            "count(by=CUSTOMER_ID, window=«30»)",
            "`30` is not a duration; write a whole number and s, m, h or d, such as window='7d'.",
        ),
        (
            "count(by=CUSTOMER_ID, window=«'1.5d'»)",
            "`'1.5d'` is not a duration; write a whole number and s, m, h or d, "
            "such as window='7d'.",
        ),
        (
            "fraud_rate(by=CUSTOMER_ID, window='1d', delay=«'91d'»)",
            "A delay is at most 90 days ('90d').",
        ),
        (
            "sum(«count(by=CUSTOMER_ID, window='1d')», by=CUSTOMER_ID, window='1d')",
            "A window's value and filter hold no other window.",
        ),
        (
            "count(by=CUSTOMER_ID, window='1d', where=«count(by=CUSTOMER_ID, window='1d')» > 1)",
            "A window's value and filter hold no other window.",
        ),
        (
            "count(by=CUSTOMER_ID, window='1d', where=«TX_AMOUNT»)",
            "`TX_AMOUNT` is a number, not a condition; compare it with something.",
        ),
    ],
)
def test_an_error_of_a_window_points_at_its_part(marked: str, message: str | None) -> None:
    source = marked.replace("«", "").replace("»", "")
    error = error_of(source)
    assert (error.column, error.end_column) == (marked.index("«") + 1, marked.index("»") - 1)
    if message is not None:
        assert error.detail == message


@pytest.mark.parametrize(
    ("marked", "word"),
    [
        ("«lambda: 1»", "lambda"),
        ("«TX_AMOUNT.real»", "attributes"),
        ("«().__class__»", "attributes"),
        ("«[x for x in FLAG]»", "comprehensions"),
        ("«{x for x in FLAG}»", "comprehensions"),
        ("«{x: 1 for x in FLAG}»", "comprehensions"),
        ("abs«(x for x in FLAG)»", "comprehensions"),
        ("«f'{TX_AMOUNT}'»", "f-strings"),
        ("«where(FLAG, 1, 2)»(3)", "before `(`"),
        ("(«x := 1»)", ":="),
        ("«TX_AMOUNT[0]»", "square brackets"),
        ("max(«*TX_AMOUNT», 1)", "`*`"),
        ("max(1, «**TX_AMOUNT»)", "`**`"),
        ("«1 if FLAG else 2»", "where(condition, a, b)"),
        ("«[1, 2]»", "list"),
        ("«(1, 2)»", "tuples"),
        ("«1, 2»", "tuples"),
        ("«{1, 2}»", "sets"),
        ("«{1: 2}»", "dictionaries"),
        ("(«yield»)", "yield"),
        ("(«yield from FLAG»)", "yield"),
        ("«await FLAG»", "await"),
        ("«TX_AMOUNT // 2»", "//"),
        ("«TX_AMOUNT @ 2»", "@"),
        ("«FLAG & FLAG»", "`and`"),
        ("«FLAG | FLAG»", "`or`"),
        ("«FLAG ^ FLAG»", "^"),
        ("«1 << 2»", "<<"),
        ("«1 >> 2»", ">>"),
        ("«~FLAG»", "`not`"),
        ("«+TX_AMOUNT»", "`+`"),
        ("«FLAG is True»", "`is`"),
        ("«FLAG is not True»", "`is not`"),
        ("TX_AMOUNT == «None»", "is_missing"),
        ("«1j»", "not a number"),
        ("«b'x'»", "not a number"),
        ("«...»", "not a number"),
    ],
)
def test_all_other_syntax_of_python_is_refused_with_a_sentence(marked: str, word: str) -> None:
    source = marked.replace("«", "").replace("»", "")
    error = error_of(source)
    assert word in error.detail
    assert error.detail.endswith(".")
    assert (error.column, error.end_column) == (marked.index("«") + 1, marked.index("»") - 1)


@pytest.mark.parametrize(
    ("source", "column"),
    [
        ("TX_AMOUNT +", 11),
        ("(TX_AMOUNT", 1),
        ("TX_AMOUNT)", 10),
        ("'open", 1),
        ("import os", 1),
        ("\xa0", 1),
        (" \u3000 ", 2),
        ("x = 1", 3),
        ("1 +\n\n* 2", 6),
        ("é é", 3),
    ],
)
def test_what_is_no_expression_is_refused_where_it_breaks(source: str, column: int) -> None:
    error = error_of(source)
    assert error.detail.startswith("The expression cannot be read")
    assert error.column == column


@pytest.mark.parametrize(
    ("source", "message", "column"),
    [
        ("", "The expression is empty.", 1),
        (" \n ", "The expression is empty.", 1),
        ("1 + \0", "The character U+0000 is not part of an expression.", 5),
        ("'\ud800'", "The character U+D800 is not part of an expression.", 2),
        ("1 # one", "An expression has no comments; `#` is for texts in quotes.", 3),
    ],
)
def test_characters_without_a_meaning_are_refused(source: str, message: str, column: int) -> None:
    error = error_of(source)
    assert (error.detail, error.column) == (message, column)


def test_a_number_sign_in_a_text_is_no_comment() -> None:
    assert compile_expression("NOTE == '#1'", EVENT_TYPE).source == "NOTE == '#1'"


def test_an_expression_has_a_longest_length() -> None:
    longest = "1 " + " " * (MAX_LENGTH - 2)
    assert compile_expression(longest, EVENT_TYPE).source == "1"
    error = error_of(longest + " ")
    assert error.detail == "The expression has 4,001 characters; it may have 4,000."
    assert error.column == MAX_LENGTH + 1
    # Its canonical form has a space behind each comma.
    grown = error_of("+".join(["max(" + ",".join(["1"] * 99) + ")"] * 19))
    assert "characters in its canonical form; it may have 4,000." in grown.detail


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("abs(", ")"),
        ("-", ""),
        ("not ", ""),
        ("(1 + ", ")"),
        ("1 + ", ""),
        ("where(FLAG, 1, ", ")"),
        ("(1 < ", ")"),
    ],
)
def test_an_expression_has_a_greatest_depth(before: str, after: str) -> None:
    core = "FLAG" if before == "not " else "1"
    deepest = before * (MAX_DEPTH - 1) + core + after * (MAX_DEPTH - 1)
    assert compile_expression(deepest, EVENT_TYPE).source
    for levels in (MAX_DEPTH, MAX_LENGTH // len(before + after) - 2):
        error = error_of(before * levels + core + after * levels)
        assert "levels deep" in error.detail or "cannot be read" in error.detail


def test_an_expression_has_a_largest_number_of_windows() -> None:
    few = [f"count(by=CUSTOMER_ID,window='{n + 1}h')" for n in range(MAX_WINDOWS + 1)]
    assert len(compile_expression(f"max({','.join(few[:-1])})", EVENT_TYPE).windows) == MAX_WINDOWS
    error = error_of(f"max({','.join(few)})")
    assert error.detail == "The expression has 101 windows; it may have 100."


def test_windows_can_be_refused() -> None:
    error = error_of("TX_AMOUNT > mean(TX_AMOUNT, by=CUSTOMER_ID, window='1d')", is_stateless=True)
    assert error.detail == "This expression may not use windows."
    assert error.column == 13


def test_a_window_needs_events_with_a_time() -> None:
    timeless = EventType("claims", None, (a_field("CUSTOMER_ID", "entity", entity="customer"),))
    with pytest.raises(InvalidExpression, match="no field has the role `time`"):
        compile_expression("count(by=CUSTOMER_ID, window='1d')", timeless)


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

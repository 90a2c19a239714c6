"""What the language refuses, the sentence that it gives, and the part that it points at."""

from __future__ import annotations

import pytest

from tests.support.expressions.errors import error_of


# Each source marks the offending part with «».
@pytest.mark.parametrize(
    ("marked", "message"),
    [
        ("1 + «TX_AMUONT»", "There is no field `TX_AMUONT`. Did you mean `TX_AMOUNT`?"),
        ("«tx_amount» > 1", "There is no field `tx_amount`. Did you mean `TX_AMOUNT`?"),
        ("«zzz» > 1", "There is no field `zzz`."),
        ("CHANNEL == «web»", "There is no field `web`. A text stands in quotes: 'web'."),
        ("CHANNEL «=» 'web'", "The expression cannot be read: a comparison is written `==`."),
        ("TX_AMOUNT «=>» 1000", "The expression cannot be read: a comparison is written `>=`."),
        ("TX_AMOUNT «=<» 1000", "The expression cannot be read: a comparison is written `<=`."),
        ("TX_AMOUNT «<>» 1000", "The expression cannot be read: a comparison is written `!=`."),
        (
            "«TX_AMOUNT > 1,000»",
            "The language has no tuples; a comma stands only between arguments, in no number.",
        ),
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

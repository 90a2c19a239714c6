"""What a file says is stored, or its row is rejected with a reason; what is no table is refused."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text

from persistence.tenancy import tenant_transaction
from persistence.uploads.storing import MAX_ROWS, MAX_SIZE
from serving.uploads.runner import UploadRunner
from tests.support.console.site import Person, Site
from tests.support.console.uploads import audited, chosen, facts, send, sent, started, stored, table
from tests.support.data.own_events import own_model, put_in_force
from tests.support.data.uploads import HEADER, a_runner, payments
from tests.support.event_types import an_event_type


def test_two_bad_rows_among_good_ones_are_rejected_with_field_and_reason(
    site: Site, senior: Person, runner: UploadRunner
) -> None:
    address = started(senior, payments(["10.50", "12,50", "200", "-1", "3e2"]))
    runner.work()
    page = senior.get(address).text
    assert "chip upload-done" in page
    assert "has a decimal comma; write a decimal point, such as 12.50" not in page
    assert "has 9 columns, the header has 8" in page  # the comma of 12,50 is one of the file's
    assert "must be a finite number from 0 to 1000000000000" in page
    good = table(senior.get(f"{address}/results.csv"))
    assert [one["amount"] for one in good] == ["10.50", "200", "3e2"]
    bad = table(senior.get(f"{address}/rejects.csv"))
    assert [(one["row"], one["line"], one["amount"]) for one in bad] == [
        ("2", "3", "12"),
        ("4", "5", "-1"),
    ]
    assert bad[1]["error"] == "amount must be a finite number from 0 to 1000000000000"
    assert bad[0]["extra_cells"] == ""
    assert [amount for _, amount, _ in stored(site)] == [10.5, 200.0, 300.0]
    counts = facts(site, address).counts
    assert (counts.rows, counts.scored, counts.rejected) == (5, 3, 2)


def test_the_stored_values_are_those_of_the_file_and_the_results_repeat_its_cells(
    site: Site, senior: Person, runner: UploadRunner
) -> None:
    lines = [
        "\ufeffstep;type;amount;nameOrig;oldbalanceOrg;nameDest;oldbalanceDest;remark;id",
        '7;DEBIT;0.10;007;-12.5;"M;1";0;"a\r\nb ""c""";=1+1',
        "8;DEBIT;1e3;C2;00.50;M2;0;  kept  ;-5",
        "9;DEBIT;0.30000000000000004;C3;1;M3;0;+49 30 1;@x",
    ]
    address = started(senior, "\r\n".join(lines) + "\r\n")
    runner.work()
    found = stored(site, "step, amount, name_orig, oldbalance_org, name_dest, external_id")
    assert found == [
        (7, 0.1, "007", -12.5, "M;1", "upload-1-row-1"),
        (8, 1000.0, "C2", 0.5, "M2", "upload-1-row-2"),
        (9, 0.30000000000000004, "C3", 1.0, "M3", "upload-1-row-3"),
    ]
    reply = senior.get(f"{address}/results.csv")
    assert reply.content.startswith(b"\xef\xbb\xbf"), "a spreadsheet reads it as UTF-8"
    rows = table(reply, ";")
    assert [list(one.values())[:9] for one in rows] == [
        ["7", "DEBIT", "0.10", "007", "-12.5", "M;1", "0", 'a\r\nb "c"', "'=1+1"],
        ["8", "DEBIT", "1e3", "C2", "00.50", "M2", "0", "  kept  ", "-5"],
        ["9", "DEBIT", "0.30000000000000004", "C3", "1", "M3", "0", "'+49 30 1", "'@x"],
    ]
    with tenant_transaction(site.engine, site.tenant.id) as connection:
        decided = connection.execute(
            text(
                "SELECT t.id::text, p.score, p.risk_band, p.decision FROM predictions p"
                " JOIN transactions t ON t.tenant_id = p.tenant_id AND t.id = p.transaction_id"
                " ORDER BY t.step"
            )
        ).all()
    shown = [
        (one["transaction_id"], float(one["score"]), one["risk_band"], one["outcome"])
        for one in rows
    ]
    assert shown == [tuple(one) for one in decided]
    assert all(one["decided_by"] == "model" and one["reasons"] for one in rows)
    assert senior.get(f"{address}/file.csv").content == ("\r\n".join(lines) + "\r\n").encode()


def test_decimal_commas_and_too_many_digits_are_refused_and_not_guessed(
    site: Site, senior: Person, runner: UploadRunner
) -> None:
    amounts = [
        "12,50",
        "1.234,56",
        "1,234",
        "1 234.50",
        "0.12345678901234567891",
        "1_000",
        "\uff11\uff12",
    ]
    rows = [f"{i};TRANSFER;{amount};C{i};1000;C9;0.5;" for i, amount in enumerate(amounts)]
    file = "\n".join([HEADER.replace(",", ";"), *rows])
    address = started(senior, file)
    runner.work()
    errors = [one["error"] for one in table(senior.get(f"{address}/rejects.csv"), ";")]
    among = "amount has a comma or a space among its digits, which is not guessed at"
    assert (
        errors[0] == errors[1] == "amount has a decimal comma; write a decimal point, such as 12.50"
    )
    assert errors[2].startswith(among)
    assert errors[3].startswith(among)
    assert errors[4] == (
        "amount has more digits than are stored: it would become 0.12345678901234568"
    )
    assert errors[5] == errors[6] == "amount must be a finite number from 0 to 1000000000000"
    assert stored(site) == []


def test_a_row_that_is_repeated_counts_once_and_an_id_of_another_event_is_rejected(
    site: Site, senior: Person, runner: UploadRunner
) -> None:
    header = f"{HEADER},external_id"
    row = "1,DEBIT,5,C1,10,M1,0,,"
    first = started(senior, "\n".join([header, f"{row}pay-1", f"{row}pay-2"]))
    runner.work()
    again = started(
        senior,
        "\n".join([header, f"{row}pay-1", "2,DEBIT,6,C1,10,M1,0,,pay-2", f"{row}pay-3", row]),
    )
    runner.work()
    assert [one[0] for one in stored(site)] == ["pay-1", "pay-2", "pay-3", "upload-2-row-4"]
    counts = facts(site, again).counts
    assert (counts.scored, counts.repeated, counts.rejected) == (3, 1, 1)
    (bad,) = table(senior.get(f"{again}/rejects.csv"))
    assert bad["error"] == "external_id was used before for another event"
    ids = [table(senior.get(f"{one}/results.csv"))[0]["transaction_id"] for one in (first, again)]
    assert ids[0] == ids[1]


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        (b"", "The file is empty."),
        (b"  \r\n\r\n", "The file is empty."),
        (HEADER, "The file has a header and no row below it."),
        ("a,b,a\n1,2,3", "The file has the column a twice."),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "The file is not text; save the table as CSV in UTF-8."),
        (b"PK\x03\x04rest of it", "The file is a zip archive or an Excel workbook"),
        ("a;b\n1;2".encode("utf-16"), "The file is text in UTF-16; save it as UTF-8."),
        (b"PAR1abc", "The file is Parquet, which is not read here"),
        ('a,b\n1,"2\n3,4\n', "The file, line 3: unexpected end of data."),
        ("a,Gr\xf6\xdfe\n1,2".encode("latin-1"), "whose name is not UTF-8 text"),
        (
            ",".join(map(str, range(501))) + "\n1",
            "The file has 501 columns; at most 500 are taken.",
        ),
        ("a\n" + "1\n" * (MAX_ROWS + 1), f"The file has more than {MAX_ROWS:,} rows. Split it."),
        ("a,b\n1,2\n" + "1a," * 501, "The file, line 3: the row has 502 cells; at most 500 are"),
        (
            "\n\na,b\n1,2\n" + "1" * 64_001,
            "The file, line 5: the row has more than 64,000 bytes.",
        ),
        (
            'a,b\n1,"2\n3"\n1,"' + "ä\n" * 22_000 + '"',
            "The file, line 4: the row has more than 64,000 bytes.",
        ),
        (b"a\n" + b"1" * MAX_SIZE, "at most 20,000,000 are taken. Split it."),
    ],
)
def test_a_file_that_cannot_be_taken_is_refused_in_a_sentence(
    site: Site, senior: Person, file: str | bytes, sentence: str
) -> None:
    reply = send(senior, file)
    assert reply.status_code in {413, 422}
    assert sentence in reply.text
    assert audited(site) == []


def test_a_form_that_is_larger_than_any_file_is_refused(senior: Person) -> None:
    reply = send(senior, b"1" * (MAX_SIZE + 100_000))
    assert reply.status_code == 413
    assert reply.headers["content-type"].startswith("text/html")
    assert "The file is larger than 20 MB; split it." in reply.text
    assert send(senior, b"", "").status_code == 422


def test_a_needed_field_without_a_column_stands_in_the_way_of_a_start(
    site: Site, senior: Person, runner: UploadRunner
) -> None:
    address = sent(senior, payments(["1", "2"]).replace("amount", "Betrag"))
    page = senior.get(address)
    assert "needs a column, because every event has it" in page.text
    form = chosen(page.text)
    refused = senior.submit(f"{address}/start", **form)
    assert refused.status_code == 422
    assert "<code>amount</code> needs a column" in refused.text
    twice = senior.submit(f"{address}/start", **form, **{"f.amount": "step"})
    assert "<code>amount</code> has the column step, as step has" in twice.text
    unknown = senior.submit(f"{address}/start", **form, **{"f.amount": "nowhere"})
    assert "the file has none named nowhere" in unknown.text
    checked = senior.submit(f"{address}/check", **form, **{"f.amount": "Betrag"})
    assert checked.status_code == 200
    assert 'formmethod="get"' not in checked.text, "the form's token stays out of addresses"
    assert "The first 2 rows can be scored." in checked.text
    runner.work()
    assert stored(site) == []
    done = senior.submit(f"{address}/start", **form, **{"f.amount": "Betrag"})
    assert done.status_code == 303
    runner.work()
    assert [amount for _, amount, _ in stored(site)] == [1.0, 2.0]


def test_an_upload_whose_columns_no_longer_fit_is_to_be_sent_again(
    site: Site, senior: Person, runner: UploadRunner
) -> None:
    address = started(senior, payments(["1"]))
    put_in_force(site.engine, site.tenant, an_event_type())
    runner.work()
    page = senior.get(address).text
    assert "The event type has changed: " in page
    assert "send the file again" in page
    assert "/continue" not in page


def test_a_model_that_does_not_fit_the_events_ends_the_upload_at_once(
    site: Site, senior: Person, service_engine: Engine
) -> None:
    address = started(senior, payments(["1"]))
    a_runner(service_engine, own_model()).work()
    assert facts(site, address).status == "failed"
    assert "/continue" in senior.get(address).text, "another version may fit"


def test_a_file_with_two_hundred_columns_has_a_small_page(senior: Person) -> None:
    names = [*HEADER.split(","), *(f"column number {i} of a wide file" for i in range(192))]
    address = sent(senior, ",".join(names) + "\n" + ",".join("1" * len(names)))
    page = senior.get(address)
    assert len(page.content) < 40_000
    assert 'list="columns"' in page.text


def test_an_own_event_type_is_read_with_its_times_and_missing_values(
    site: Site, senior: Person, service_engine: Engine
) -> None:
    put_in_force(site.engine, site.tenant, an_event_type())
    rows = [
        "TX_DATETIME,CUSTOMER_ID,TERMINAL_ID,TX_AMOUNT,CHANNEL",
        "2026-03-31T12:00:00Z,596,T1,57.16,web",
        "2026-03-31 12:00:00,0596,T1,57.16,NA",
        "2026-03-29 02:30:00,1,T1,1,pos",
        "2026-03-31 12:00:00+02,1,T1,1,",
        "31.03.2026,1,T1,1,phone",
    ]
    address = sent(senior, "\n".join(rows))
    with site.engine.begin() as connection:
        connection.execute(text(f"SET LOCAL sentinel.tenant_ids = '{site.tenant.id}'"))
        connection.execute(text("UPDATE tenants SET time_zone = 'Europe/Berlin'"))
    form = chosen(senior.get(address).text)
    assert "has no time zone" in senior.get(address).text
    senior.submit(f"{address}/start", **form, zone="Europe/Berlin")
    a_runner(service_engine, own_model()).work()
    assert [one[0] for one in stored(site, "fields")] == [
        {"TX_DATETIME": "2026-03-31T12:00:00Z", "CUSTOMER_ID": "596", "TERMINAL_ID": "T1",
         "TX_AMOUNT": 57.16, "CHANNEL": "web"},
        {"TX_DATETIME": "2026-03-31T12:00:00+02:00", "CUSTOMER_ID": "0596", "TERMINAL_ID": "T1",
         "TX_AMOUNT": 57.16},
        {"TX_DATETIME": "2026-03-31T12:00:00+02:00", "CUSTOMER_ID": "1", "TERMINAL_ID": "T1",
         "TX_AMOUNT": 1.0},
    ]  # fmt: skip
    errors = [one["error"] for one in table(senior.get(f"{address}/rejects.csv"))]
    assert "is shown twice or never by the clock" in errors[0]
    assert errors[1] == (
        "TX_DATETIME must be a time of RFC 3339 with its zone, such as 2026-05-01T09:30:00Z; "
        "CHANNEL must be one of pos, web, atm"
    )


def test_a_cell_that_is_not_utf_8_rejects_its_row_alone_and_comes_back_byte_by_byte(
    senior: Person, runner: UploadRunner
) -> None:
    file = payments(["1", "2"], note="Größe").replace("C0", "Cö").encode("latin-1")
    address = started(senior, file)
    runner.work()
    (bad,) = table(senior.get(f"{address}/rejects.csv"))
    assert bad["error"] == "nameOrig is not UTF-8 text; save the file as UTF-8"
    assert "Größe".encode("latin-1") in senior.get(f"{address}/results.csv").content

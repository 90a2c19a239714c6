"""A body is read within its bounds, whatever its bytes, and a bad one is named for what it is."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest
from pydantic import BaseModel, ConfigDict
from starlette.requests import Request

from scoring.errors import InvalidRequest, MalformedRequest, PayloadTooLarge, UnsupportedMedia
from serving.schemas import BatchRequest, ExplainRequest, TransactionIn
from tests.support.factories import a_body
from web.body import is_utf_8, read_body


def read(
    body: bytes, schema: Any = TransactionIn, max_bytes: int = 10_000, **headers: str
) -> BaseModel:
    """Read a body as it arrives: in two parts, with these headers."""
    parts = iter([(body[:7], True), (body[7:], False)])

    async def receive() -> dict[str, Any]:
        part, more = next(parts)
        return {"type": "http.request", "body": part, "more_body": more}

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    request = Request({"type": "http", "headers": raw, "method": "POST"}, receive)
    result: BaseModel = anyio.run(read_body, request, schema, max_bytes)
    return result


TEXT = json.dumps(a_body())
BODY = TEXT.encode()


@pytest.mark.parametrize("coding", ["identity", "Identity", " identity ", ""])
def test_a_body_without_a_coding_is_read(coding: str) -> None:
    assert read(BODY, content_encoding=coding) == read(BODY)


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "br", "deflate", "zstd", "gzip, identity", "?"])
def test_a_compressed_body_is_refused_before_it_is_read(coding: str) -> None:
    with pytest.raises(UnsupportedMedia, match="without Content-Encoding"):
        read(b"\x1f\x8b", content_encoding=coding)


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        "text/plain",
        "application/x-www-form-urlencoded",
        "nonsense",
        "",
    ],
)
def test_a_body_is_read_as_json_whatever_its_media_type(content_type: str) -> None:
    assert read(BODY, content_type=content_type) == read(BODY)


@pytest.mark.parametrize(
    "named",
    [
        "charset=utf-8; charset=unicode_escape",
        'x="; charset=utf-8;"; charset=unicode_escape',
        "charset*=utf-8''unicode_escape",
        "charset='utf-16'",
    ],
)
def test_no_reader_finds_another_charset_in_what_is_taken(named: str) -> None:
    assert not is_utf_8(f"multipart/form-data; boundary=b; {named}".encode())


@pytest.mark.parametrize("charset", ["utf-16", "latin-1", '"ISO-8859-1"', "x"])
def test_another_charset_is_refused(charset: str) -> None:
    with pytest.raises(UnsupportedMedia, match="UTF-8"):
        read(BODY, content_type=f"application/json; charset={charset}")


@pytest.mark.parametrize("length", [str(len(BODY)), "7", None])
def test_a_body_over_its_limit_is_refused(length: str | None) -> None:
    headers = {} if length is None else {"content_length": length}
    read(BODY, max_bytes=len(BODY), **headers)
    with pytest.raises(PayloadTooLarge):
        read(BODY, max_bytes=len(BODY) - 1, **headers)


def test_a_byte_order_mark_is_ignored() -> None:
    assert read(b"\xef\xbb\xbf" + BODY) == read(BODY)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "empty"),
        (b" \r\n", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (TEXT.encode("utf-16"), "UTF-16"),
        (BODY[:-1], ""),
        (BODY + b"}", ""),
        (BODY.replace(b"TRANSFER", b"\xff\xfe"), ""),
        (BODY.replace(b"TRANSFER", b"\x00"), ""),
        (BODY.replace(b"TRANSFER", b"\\ud800"), ""),
        (b"[" * 100_000, ""),
        (b'{"a":' * 100_000, ""),
        (b"amount=1&type=TRANSFER", ""),
        (BODY.replace(b"212", b"9" * 5000), "out of range"),
    ],
)
def test_a_body_that_is_not_json_is_malformed(body: bytes, sentence: str) -> None:
    with pytest.raises(MalformedRequest, match=sentence):
        read(body, max_bytes=10**6)


@pytest.mark.parametrize(
    ("field", "token"),
    [
        ("amount", "NaN"),
        ("amount", "-Infinity"),
        ("amount", "1e999"),
        ("step", "1.0e1"),
        ("step", "1e400"),
        ("nameOrig", '"\\u0000"'),
    ],
)
def test_a_number_or_text_out_of_range_is_named(field: str, token: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read(json.dumps(a_body(**{field: "@"})).replace('"@"', token).encode())
    assert [error.field for error in refused.value.errors] == [field]


def test_what_is_ignored_may_be_anything() -> None:
    nested = "[" * 100 + "]" * 100
    for token in (nested, "9" * 4000, "NaN", '{"a":":"}', '"::::"'):
        text = json.dumps(a_body(newbalanceOrig="@")).replace('"@"', token)
        assert isinstance(read(text.encode()), TransactionIn)


DEBIT = '"DEBIT"'


def twice(body: str, name: str, first: str = "1") -> str:
    """Put a member in front of the one of that name."""
    return body.replace(f'"{name}":', f'"{name}":{first},"{name}":', 1)


@pytest.mark.parametrize(
    ("body", "schema", "paths"),
    [
        (twice(TEXT, "amount"), TransactionIn, ["amount"]),
        (
            twice(twice(TEXT, "step"), "nameDest", '"C:1"'),
            TransactionIn,
            ["step", "nameDest"],
        ),
        (TEXT.replace("{", '{"\\u0061mount":7,', 1), TransactionIn, ["amount"]),
        (
            f'{{"transactions":[{TEXT},{twice(TEXT, "type", DEBIT)}]}}',
            BatchRequest,
            ["transactions.1.type"],
        ),
        (f'{{"transactions":[],"transactions":[{TEXT}]}}', BatchRequest, ["transactions"]),
        (
            twice(f'{{"transaction":{TEXT}}}', "amount"),
            ExplainRequest,
            ["transaction.amount"],
        ),
        (
            json.dumps(a_body(newbalanceOrig={"a": 1})).replace('"a":', '"a":2,"a":'),
            TransactionIn,
            ["newbalanceOrig.a"],
        ),
    ],
)
def test_a_name_that_is_given_twice_is_refused_by_its_path(
    body: str, schema: type[BaseModel], paths: list[str]
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read(body.encode(), schema)
    assert [error.field for error in refused.value.errors] == paths


def test_a_payment_that_is_not_wrapped_is_one_error_that_shows_the_bodies() -> None:
    with pytest.raises(InvalidRequest) as refused:
        read(BODY, ExplainRequest)
    (error,) = refused.value.errors
    assert error.field == "body"
    assert '{"transaction": {...}} or {"prediction_id": "..."}' in error.message
    for misspelled in ({"transaction": a_body(), "other": 1}, {"other": a_body()}):
        with pytest.raises(InvalidRequest) as refused:
            read(json.dumps(misspelled).encode(), ExplainRequest)
        assert [error.field for error in refused.value.errors] == ["other"]


class Inner(BaseModel):
    a: int


class Outer(BaseModel):
    model_config = ConfigDict(extra="ignore")

    many: list[Inner] = []
    one: Inner | None = None
    text: str = ""


@pytest.mark.parametrize(
    "body",
    [
        '{"many":[{"a":1},{"a":2}],"one":{"a":3},"text":"a:b"}',
        '{"many":[],"one":null}',
        '{"unknown":1,"one":{"a":1}}',
        "{}",
    ],
)
def test_equal_names_in_different_objects_are_fine(body: str) -> None:
    assert read(body.encode(), Outer) == Outer.model_validate_json(body)

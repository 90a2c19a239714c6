"""An event type in a file: read in YAML and JSON, refused with every fault, written back."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from scoring.event_type.document import to_document
from scoring.transaction import PAYSIM
from sentinel.event_type_file import MAX_BYTES, EventTypeFileError, as_yaml, read_event_type
from tests.support.event_types import an_event_type

ODD = an_event_type(
    **{
        "yes": {"kind": "boolean", "optional": True},
        "1": {"kind": "number", "min": -1e300, "max": 1e22},
        "a: b #c": {"kind": "category", "values": ["no", "null", "1", "é€", "- x", "~", "1e3"]},
        "'quoted' \"twice\"": {"kind": "text", "optional": True},
        "x" * 128: {"kind": "number", "ignored": True},
    }
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cards.yaml"


@pytest.mark.parametrize("event_type", [an_event_type(), ODD, PAYSIM])
def test_what_is_written_is_read_again(file: Path, event_type: object) -> None:
    file.write_text(as_yaml(event_type), "utf-8")  # type: ignore[arg-type]
    assert read_event_type(file) == event_type


def test_json_is_read_too(file: Path) -> None:
    file.write_text(json.dumps(to_document(ODD)))
    assert read_event_type(file) == ODD


@pytest.mark.parametrize(
    ("written", "number"),
    [
        *(("1e6", 1e6), ("1E6", 1e6), ("1e+6", 1e6), ("1.5e6", 1.5e6), ("1.5e+6", 1.5e6)),
        *(("2.e3", 2e3), (".5", 0.5), ("-.5e1", -5.0), ("+1e-2", 0.01), ("1000000", 1e6)),
    ],
)
def test_a_bound_may_have_an_exponent(file: Path, written: str, number: float) -> None:
    file.write_text(f"name: cards\nfields:\n  PRICE: {{kind: number, max: {written}}}\n")
    assert read_event_type(file).fields[0].maximum == number


def test_a_value_that_reads_as_a_number_has_to_be_quoted(file: Path) -> None:
    text = "name: cards\nfields:\n  CODE: {kind: category, values: [a, %s]}\n"
    file.write_text(text % "12e4")
    assert "fields.CODE.values must be a list of texts; quote 120000.0" in refusal(file)

    file.write_text(text % "'12e4'")
    assert read_event_type(file).fields[0].values == ("a", "12e4")


def test_json_may_be_indented_by_tabs(file: Path) -> None:
    file.write_text(json.dumps(to_document(ODD), indent="\t"))
    assert read_event_type(file) == ODD


def refusal(path: Path) -> str:
    with pytest.raises(EventTypeFileError) as refused:
        read_event_type(path)
    return str(refused.value)


def test_every_fault_has_a_line(file: Path) -> None:
    file.write_text("name: Cards\nfields:\n  a: {kind: money}\n  b: {kind: entity}\n")
    lines = refusal(file).splitlines()
    assert lines[0].endswith("cards.yaml is not an event type:")
    assert [line.split()[0] for line in lines[1:]] == ["fields.a.kind", "name", "fields.b.entity"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"name: [", "is not YAML"),
        (b"a: b: c", "mapping values are not allowed here at line 1, column 5: a: b: c ^."),
        (b"name: a\nname: b\n", "name is given twice"),
        (b"name: aa\nfields:\n  x: {kind: number}\n  x: {kind: text}\n", "x is given twice"),
        (b'{"name": "aa", "fields": {"x": {}, "x": {}}}', "x is given twice"),
        (b"{name: aa, name: bb}", "name is given twice"),
        (b"name: !!python/object/apply:os.system ['true']", "is not YAML"),
        (b"\xff\xfe\x00", "is not YAML"),
        (b"[" * 20_000, "is not YAML: more than 100 brackets are open"),
        (b"{}", "is not an event type:\n  name is required\n  fields is required"),
        (b"#" * (MAX_BYTES + 1), "has more than 1,048,576 bytes"),
    ],
)
def test_anything_else_is_refused_in_a_sentence(file: Path, content: bytes, message: str) -> None:
    file.write_bytes(content)
    assert message in refusal(file)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("", "is empty"),
        ("# name: cards\n", "is empty"),
        ("- name: cards\n", "is a list"),
        ("[1]", "is a list"),
        ("TX_ID,TX_AMOUNT\n1,2.50\n", "is a single value"),
        ("7", "is a single value"),
    ],
)
def test_the_error_of_a_file_without_names_has_what_an_event_type_has(
    file: Path, content: str, what: str
) -> None:
    file.write_text(content)
    assert refusal(file).endswith(
        f"cards.yaml {what}; an event type is a mapping with name and fields, such as `sentinel "
        "event-types infer` drafts from a file of events."
    )


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "gone.yaml").endswith("gone.yaml cannot be read: No such file or "
                                                    "directory.")  # fmt: skip
    assert "cannot be read" in refusal(tmp_path)


FIELDS = "name: cards\nfields:\n"
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{','.join([f'*{chr(97 + i)}'] * 9)}]\n" for i in range(20)
)
MERGES = "".join(
    f"b{i}: &b{i} {{<<: [{','.join([f'*b{i - 1}'] * 9)}]}}\n" if i else "b0: &b0 {k: 1}\n"
    for i in range(15)
)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (BOMB + "name: cards\nfields: {c: {kind: category, values: *u}}", "values, with those"),
        (MERGES, "values, with those"),
        ("name: cards\nfields: &a {f: *a}", "fields.f.f is not known"),
        ("&a [*a]", "is a list"),
        ("- " * 5_000, "is not YAML"),
        ("[" * 100_000, "brackets are open"),
        ("".join(" " * i + "a:\n" for i in range(1_400)), "is not YAML"),
        ('{"a":' * 100_000, "is not YAML"),
        ("name: a\nname: b\nfields: {}", "name is given twice"),
        ('{"name": "a", "name": "b"}', "name is given twice"),
        ("? [a, b]\n: 1\n", "is not YAML"),
        ("!!python/object/apply:os.system [id]", "could not determine a constructor"),
        (FIELDS + "  f: {kind: number, min: " + "9" * 5_000 + "}", "is not YAML"),
        (FIELDS + "  f: {kind: number, min: .nan}", "must be a finite number"),
        (FIELDS + '  "\\uD800": {kind: number}', "is not"),
        (FIELDS + '  "a\\0": {kind: number}', "is not"),
        (FIELDS + "".join(f"  f{i}: {{}}\n" for i in range(6_000)), "1 to 500 fields"),
    ],
)
def test_a_hostile_file_is_refused_soon(file: Path, content: str, message: str) -> None:
    file.write_text(content)
    begin_s = time.process_time()
    with pytest.raises(EventTypeFileError, match=message):
        read_event_type(file)
    assert time.process_time() - begin_s < 5, "the names of 6,000 fields took 1 s, squared"

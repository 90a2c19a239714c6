"""A version's MLmodel file is untrusted: anything but the required signature is refused."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from registry.publish.mlflow_signature import PAYSIM_EXAMPLE, example, signature
from registry.verify.signature import MAX_BYTES, OUTPUTS, check_signature, inputs_of
from scoring.errors import ModelRefused
from scoring.event_type.validation import EventValidator
from scoring.transaction import PAYSIM
from tests.support.event_types import NOW_US, an_event_type

INPUTS = inputs_of(PAYSIM)


def columns(of: dict[str, str]) -> str:
    return json.dumps([{"type": kind, "name": name, "required": True} for name, kind in of.items()])


def an_mlmodel(**changes: Any) -> bytes:
    declared: dict[str, Any] = {"inputs": columns({**INPUTS}), "outputs": columns({**OUTPUTS})}
    declared |= {"params": None} | changes
    return yaml.safe_dump({"flavors": {}, "signature": declared}).encode()


def refusal(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(ModelRefused) as refused:
        check_signature(path, PAYSIM)
    return refused.value.detail


@pytest.fixture
def mlmodel(tmp_path: Path) -> Path:
    return tmp_path / "MLmodel"


def test_the_signature_logged_by_training_is_the_required_one(mlmodel: Path) -> None:
    assert {column.name: column.type.name for column in signature(PAYSIM).inputs} == INPUTS
    assert {column.name: column.type.name for column in signature(PAYSIM).outputs} == OUTPUTS
    assert list(PAYSIM_EXAMPLE) == list(INPUTS)
    mlmodel.write_bytes(yaml.safe_dump({"signature": signature(PAYSIM).to_dict()}).encode())
    check_signature(mlmodel, PAYSIM)


def test_the_order_of_columns_and_optional_ones_make_no_difference(mlmodel: Path) -> None:
    turned = [
        {"name": name, "type": kind, "required": False} for name, kind in reversed(INPUTS.items())
    ]
    mlmodel.write_bytes(an_mlmodel(inputs=json.dumps(turned)))
    check_signature(mlmodel, PAYSIM)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"inputs": columns({k: v for k, v in INPUTS.items() if k != "amount"})},
            "MLmodel: the signature's inputs differ: amount is missing",
        ),
        (
            {"inputs": columns({**INPUTS, "amount": "string"})},
            "MLmodel: the signature's inputs differ: amount is string and has to be double",
        ),
        (
            {"outputs": columns({**OUTPUTS, "reason": "string"})},
            "MLmodel: the signature's outputs differ: reason is unknown",
        ),
        (
            {"outputs": None},
            "MLmodel: the signature's outputs are not a list of named columns",
        ),
        (
            {"inputs": '[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1]}}]'},
            "MLmodel: the signature's inputs are not a list of named columns",
        ),
    ],
)
def test_another_signature_is_refused_with_what_differs(
    mlmodel: Path, changes: dict[str, Any], sentence: str
) -> None:
    assert refusal(mlmodel, an_mlmodel(**changes)) == sentence


def test_a_version_without_a_signature_is_refused(mlmodel: Path) -> None:
    sentence = "MLmodel has no signature; log the model with one"
    assert refusal(mlmodel, b"flavors: {}\n") == sentence
    assert refusal(mlmodel, b"signature: null\n") == sentence


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "MLmodel is not a YAML mapping"),
        (b"- a\n- list\n", "MLmodel is not a YAML mapping"),
        (b"just a word", "MLmodel is not a YAML mapping"),
        (b"signature: [1, 2]\n", "MLmodel has no signature"),
        (b"? [a, list]\n: as a key\n", "MLmodel has no signature"),
        (b"signature: {inputs: [1], outputs: {}}\n", "inputs are not a list"),
        (b"signature: {inputs: 'not json'}\n", "inputs are not a list"),
        (b"signature: {inputs: '{}'}\n", "inputs differ: step is missing"),
        (b"signature: {inputs: '7'}\n", "inputs are not a list"),
        (b"signature: {inputs: '[1, 2]'}\n", "inputs are not a list"),
        (b"""signature: {inputs: '[{"name": "a", "type": {}}]'}\n""", "inputs are not a list"),
        (b"""signature: {inputs: '[{"name": [], "type": "a"}]'}\n""", "inputs are not a list"),
        (b"signature: {inputs: '" + b"[" * 60_000 + b"'}\n", "inputs are not a list"),
        (b"\x00\x01\x02", "MLmodel is not YAML"),
        (b"\xff\xfe\x00", "MLmodel is not"),
        (b"signature: {", "MLmodel is not YAML"),
        (b"a: *absent\n", "MLmodel is not YAML"),
        (b"--- 1\n--- 2\n", "MLmodel is not YAML"),
        (b"a: " + b"[" * MAX_BYTES, "MLmodel is not YAML"),
        (b"- " * (MAX_BYTES // 2), "MLmodel is not"),
        (b"{" * MAX_BYTES, "MLmodel is not YAML"),
    ],
)
def test_a_malformed_mlmodel_is_refused_in_a_sentence(
    mlmodel: Path, content: bytes, sentence: str
) -> None:
    assert sentence in refusal(mlmodel, content)


def test_python_objects_in_the_yaml_are_not_created(mlmodel: Path, tmp_path: Path) -> None:
    document = f"signature: !!python/object/apply:os.mkdir [{tmp_path / 'made'}]\n".encode()
    assert "no signature" in refusal(mlmodel, document)
    assert not (tmp_path / "made").exists()


def test_nested_references_and_the_largest_file_take_less_than_5_cpu_seconds(mlmodel: Path) -> None:
    began_s = time.process_time()
    merged = "m0: &m0 {k: v}\n" + "".join(
        f"m{i}: &m{i} {{<<: [{', '.join([f'*m{i - 1}'] * 10)}]}}\n" for i in range(1, 12)
    )
    assert "no signature" in refusal(mlmodel, merged.encode())
    assert "no signature" in refusal(mlmodel, b"a: 1\n" * (MAX_BYTES // 5))
    assert time.process_time() - began_s < 5


EVERY_KIND = an_event_type(
    ITEMS={"kind": "integer", "min": 5, "max": 9},
    DEBT={"kind": "number", "max": -10},
    CHIP={"kind": "boolean"},
    SHOP={"kind": "category"},
    NOTE={"kind": "text", "optional": True},
    OLD={"kind": "number", "ignored": True},
)


def test_the_signature_of_another_event_type_has_its_fields(mlmodel: Path) -> None:
    inputs = {column.name: column for column in signature(EVERY_KIND).inputs}
    assert {name: column.type.name for name, column in inputs.items()} == inputs_of(EVERY_KIND)
    assert list(inputs) == list(EVERY_KIND.kept)
    assert [name for name, column in inputs.items() if not column.required] == ["CHANNEL", "NOTE"]
    mlmodel.write_bytes(yaml.safe_dump({"signature": signature(EVERY_KIND).to_dict()}).encode())
    check_signature(mlmodel, EVERY_KIND)
    with pytest.raises(ModelRefused, match="TX_AMOUNT is unknown"):
        check_signature(mlmodel, PAYSIM)


def test_the_example_of_another_event_type_is_a_valid_event() -> None:
    frame = example(EVERY_KIND)
    (row,) = json.loads(frame.to_json(orient="records"))
    event = EventValidator(EVERY_KIND).validate(row, NOW_US)
    assert (event.values["ITEMS"], event.values["DEBT"]) == (5, -10.0)
    assert list(frame.columns) == list(EVERY_KIND.kept)


def test_the_mlmodel_of_the_largest_event_type_is_read(mlmodel: Path) -> None:
    fields = {f"{'f' * 100}{i}": {"kind": "number"} for i in range(495)}
    largest = an_event_type(**fields)
    mlmodel.write_bytes(yaml.safe_dump({"signature": signature(largest).to_dict()}).encode())
    assert mlmodel.stat().st_size < MAX_BYTES
    check_signature(mlmodel, largest)

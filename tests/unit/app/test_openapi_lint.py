"""The OpenAPI document is complete: groups, examples of every reply, headers, types of problems."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from app.openapi import document
from registry.client.base import RegistryUnavailable
from scoring.errors import ModelRefused, SentinelError
from tests.support.paths import PROJECT
from web.problem_types import (
    METHOD_NOT_ALLOWED,
    PROBLEM_TYPES,
    RETRY_STATUSES,
    ProblemType,
    type_uri,
)

GUIDE = PROJECT / "docs/api.md"

DOCUMENT: dict[str, Any] = json.loads(document())
OPERATIONS = {
    f"{method} {path}": operation
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
}
CONTENTS = {
    f"{name} {status}": (media_type, content)
    for name, operation in OPERATIONS.items()
    for status, response in operation["responses"].items()
    for media_type, content in response["content"].items()
} | {
    f"{name} body": (media_type, content)
    for name, operation in OPERATIONS.items()
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items()
}
TYPES = {type_uri(kind.code): kind for kind in PROBLEM_TYPES}


def examples(content: dict[str, Any]) -> list[Any]:
    """The examples of a body or reply, or else that of its schema."""
    if "example" in content:
        return [content["example"]]
    if "examples" in content:
        return [example["value"] for example in content["examples"].values()]
    name = content["schema"].get("$ref", "").rpartition("/")[2]
    schema = DOCUMENT["components"]["schemas"].get(name, {})
    return [schema["example"]] if "example" in schema else []


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_has_a_group_an_id_and_a_summary(name: str) -> None:
    operation = OPERATIONS[name]
    (group,) = operation["tags"]
    assert group in {tag["name"] for tag in DOCUMENT["tags"]}
    assert operation["operationId"].isidentifier()
    assert 0 < len(operation["summary"]) <= 60
    if operation.get("security") != []:
        assert "Scope: " in operation["description"]
    for parameter in operation.get("parameters", []):
        assert parameter.get("description"), parameter["name"]


def test_every_group_is_described_and_has_an_operation() -> None:
    used = {group for operation in OPERATIONS.values() for group in operation["tags"]}
    assert {tag["name"] for tag in DOCUMENT["tags"]} == used
    assert all(tag["description"] for tag in DOCUMENT["tags"])


@pytest.mark.parametrize("name", CONTENTS)
def test_every_body_and_reply_has_an_example_that_its_schema_allows(name: str) -> None:
    media_type, content = CONTENTS[name]
    result = examples(content)
    assert result, "it has no example"
    schema = {**content["schema"], "components": DOCUMENT["components"]}
    validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
    for example in result:
        validator.validate(example)
    if media_type == "application/problem+json":
        status = int(name.rpartition(" ")[2])
        for example in result:
            assert example["status"] == status == TYPES[example["type"]].status


def test_an_example_that_its_schema_refuses_would_be_found() -> None:
    _, content = CONTENTS["post /score 200"]
    schema = {**content["schema"], "components": DOCUMENT["components"]}
    example = {**examples(content)[0], "prediction_id": "7"}
    with pytest.raises(jsonschema_rs.ValidationError):
        jsonschema_rs.Draft202012Validator(schema, validate_formats=True).validate(example)


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_reply_declares_its_headers(name: str) -> None:
    for status, response in OPERATIONS[name]["responses"].items():
        headers = set(response["headers"])
        assert "X-Request-ID" in headers
        assert ("Retry-After" in headers) == (int(status) in RETRY_STATUSES)
        assert ("WWW-Authenticate" in headers) == (status == "401")


def test_every_type_of_problem_is_in_the_description_and_at_an_operation() -> None:
    at_operations = {
        example["type"]
        for media_type, content in CONTENTS.values()
        if media_type == "application/problem+json"
        for example in examples(content)
    }
    assert at_operations == TYPES.keys() - {type_uri(METHOD_NOT_ALLOWED.code)}
    for kind in PROBLEM_TYPES:
        assert f"| `{kind.code}` | {kind.status} |" in DOCUMENT["info"]["description"]
        assert kind.retry.startswith(("Yes", "No"))
    declared = DOCUMENT["components"]["schemas"]["Problem"]["properties"]["type"]["enum"]
    assert declared == sorted(TYPES)


@pytest.mark.parametrize("kind", PROBLEM_TYPES, ids=lambda kind: kind.code)
def test_the_guide_describes_each_type_of_problem_under_its_code(kind: ProblemType) -> None:
    sections = re.split(r"^### (.*)\n", GUIDE.read_text(), flags=re.MULTILINE)
    by_heading = dict(zip(sections[1::2], sections[2::2], strict=True))
    described = " ".join(by_heading[kind.code].split())
    assert described.startswith(f"Status {kind.status}. ")
    assert f"Retry: {kind.retry}." in described


def test_the_guide_describes_no_other_type_of_problem() -> None:
    headings = re.findall(r"^### (.*)$", GUIDE.read_text(), flags=re.MULTILINE)
    assert sorted(headings) == sorted(kind.code for kind in PROBLEM_TYPES)


def test_every_error_of_a_request_is_a_documented_type_with_a_retry_of_its_own() -> None:
    inside = {ModelRefused, RegistryUnavailable}  # the reply to a request says NoModel instead
    for error in _with_subclasses(SentinelError):
        if error in inside or error.__module__.startswith("tests."):
            continue
        assert type_uri(error.code) in TYPES, f"add {error.__name__} to PROBLEM_TYPES"
        if "code" in vars(error):
            assert "retry" in vars(error), f"{error.__name__} inherits another error's `retry`"


@pytest.mark.parametrize(
    ("name", "also"),
    [
        ("post /score", {"idempotency-mismatch", "malformed-json", "no-production-model"}),
        ("post /explain", {"malformed-json", "no-production-model"}),
        ("get /queue", set()),
        ("put /policy", {"idempotency-mismatch", "malformed-json", "no-production-model"}),
    ],
)
def test_an_operation_names_the_types_that_it_can_reply_with(name: str, also: set[str]) -> None:
    named = {
        code
        for response in OPERATIONS[name]["responses"].values()
        for code in response["content"].get("application/problem+json", {}).get("examples", {})
    }
    special = {"idempotency-mismatch", "malformed-json", "no-production-model", "not-ready"}
    assert named & special == also
    assert {"invalid-request", "store-unavailable", "internal"} <= named


def test_no_member_of_a_body_is_required_by_generated_clients_for_its_default() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        for member, declared in schema.get("properties", {}).items():
            assert "default" not in declared, f"{name}.{member}"


def test_every_reference_resolves() -> None:
    for reference in _references(DOCUMENT):
        node: Any = DOCUMENT
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]


def _with_subclasses(kind: type[SentinelError]) -> Iterator[type[SentinelError]]:
    yield kind
    for subclass in kind.__subclasses__():
        yield from _with_subclasses(subclass)


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for child in node.values():
            yield from _references(child)
    elif isinstance(node, list):
        for child in node:
            yield from _references(child)

"""One OpenAPI document describes every route, and its links resolve."""

from __future__ import annotations

import importlib
import json
import pkgutil
from typing import Any

import pytest
from fastapi.routing import APIRoute

import api
from api.drift import schemas as drift_schemas
from api.models import policy_schemas
from api.models import schemas as lifecycle_schemas
from app.openapi import document
from service import Sentinel
from serving import schemas

DOCUMENT: dict[str, Any] = json.loads(document())
OPERATIONS = {
    (method, path): operation
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
}
WITH_A_KEY = {route: o for route, o in OPERATIONS.items() if o.get("security") != []}


def test_every_operation_id_is_unique() -> None:
    names = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(names) == len(set(names))


def test_every_management_route_is_in_the_document() -> None:
    modules = [
        importlib.import_module(module.name)
        for module in pkgutil.walk_packages(api.__path__, "api.")
        if module.name.endswith("routes")
    ]
    assert len(modules) >= 5
    declared = {
        (method.lower(), route.path_format)
        for module in modules
        for route in module.router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
    assert len(declared) >= 11
    assert declared <= set(OPERATIONS)


def test_a_scoring_route_has_the_schemas_that_bentoml_has() -> None:
    for name in ("score", "score_many", "explain"):
        declared = Sentinel.apis[name]
        operation = OPERATIONS["post", declared.route]
        body = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        reply = operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
        assert f"{body.rpartition('/')[2]}IODescriptor" == declared.input_spec.__name__
        assert f"{reply.rpartition('/')[2]}IODescriptor" == declared.output_spec.__name__


@pytest.mark.parametrize("route", WITH_A_KEY)
def test_every_error_of_a_route_with_a_key_is_a_documented_problem(route: tuple[str, str]) -> None:
    responses = OPERATIONS[route]["responses"]
    expected = {"401", "403", "422", "429", "500", "503", "504"}
    if "requestBody" in OPERATIONS[route]:
        expected |= {"413"}
    if "{id}" in route[1] or route == ("post", "/explain"):
        expected |= {"404"}
    assert expected <= set(responses)
    for status, response in responses.items():
        if int(status) >= 400:
            assert set(response["content"]) == {"application/problem+json"}


EXAMPLES = {
    "PolicyIn": policy_schemas.PolicyIn,
    "PolicyOut": policy_schemas.PolicyOut,
    "TunerReply": lifecycle_schemas.TunerReply,
    "ModelsReply": lifecycle_schemas.ModelsReply,
    "DriftReply": drift_schemas.DriftReply,
    "TransactionIn": schemas.TransactionIn,
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_valid_by_its_schema(name: str) -> None:
    example = DOCUMENT["components"]["schemas"][name]["example"]
    read = EXAMPLES[name].model_validate_json(json.dumps(example))
    assert json.loads(read.model_dump_json(by_alias=True, exclude_unset=True)) == example


def test_the_document_has_randomised_approvals() -> None:
    components = DOCUMENT["components"]["schemas"]
    share = components["ExploreIn"]["properties"]["share"]
    assert (share["exclusiveMinimum"], share["maximum"]) == (0, 0.1)
    assert components["ExploreIn"]["required"] == ["share", "max_amount"]
    assert "explore" not in components["PolicyIn"].get("required", [])
    for reply in ("ScoreReply", "ExplainReply"):
        assert components[reply]["properties"]["approval_probability"]["type"] == "number"
        assert "approval_probability" not in components[reply]["required"]
    for reply in ("CaseOut", "PredictionOut"):
        assert "approval_probability" in components[reply]["required"]


def test_every_link_resolves() -> None:
    by_name = {operation["operationId"]: operation for operation in OPERATIONS.values()}
    links = [
        link
        for operation in OPERATIONS.values()
        for response in operation["responses"].values()
        for link in response.get("links", {}).values()
    ]
    assert len(links) >= 5
    for link in links:
        target = by_name[link["operationId"]]
        assert set(link.get("parameters", {})) <= {p["name"] for p in target["parameters"]}

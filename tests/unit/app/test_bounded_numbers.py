"""Every whole number that a route takes has a largest value: Postgres has one too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from annotated_types import Le, Lt
from fastapi.routing import APIRoute

from app.management import _ROUTERS


def parts(found: Any) -> Iterator[Any]:
    """Yield a type, the types inside it, and what they are annotated with."""
    yield found
    for inner in (*get_args(found), *getattr(found, "metadata", ())):
        yield from parts(inner)


def numbers() -> Iterator[tuple[str, bool]]:
    """Yield the whole numbers of all routes, and whether each has a largest value."""
    for route in (route for router in _ROUTERS for route in router.routes):
        if not isinstance(route, APIRoute):
            continue
        needs = route.dependant
        for parameter in (*needs.path_params, *needs.query_params, *needs.body_params):
            info = parameter.field_info
            fields = getattr(info.annotation, "model_fields", {parameter.name: info})
            for name, field in fields.items():
                found = [*parts(field.annotation), *parts(field)]
                if int in found:
                    place = f"{sorted(route.methods)[0]} {route.path} {name}"
                    yield place, any(isinstance(one, Le | Lt) for one in found)


def test_every_whole_number_of_a_route_has_a_largest_value() -> None:
    found = dict(numbers())
    assert len(found) > 40, found
    assert [place for place, is_bounded in found.items() if not is_bounded] == []

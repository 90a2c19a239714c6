"""The documentation pages, mounted beside the APIs."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.routing import Route

from api.openapi import docs_page, index, openapi_json

PAGES = Starlette(
    routes=[
        Route("/", index),
        Route("/docs", docs_page),
        Route("/openapi.json", openapi_json),
    ]
)

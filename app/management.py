"""The management application: every route except the scoring routes and BentoML's own."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError

from api.dependencies import ApiDependencies
from app import openapi
from scoring.errors import SentinelError
from web.problems import invalid_parameters_reply, problem_reply


def create_app(dependencies: ApiDependencies) -> FastAPI:
    """Return the FastAPI application with every management route.

    Args:
        dependencies: database pool, authentication and caches that the routes use.
    """
    app = FastAPI(openapi_url=None, redirect_slashes=False)
    app.state.dependencies = dependencies
    for router in (*openapi.ROUTERS, openapi.pages):
        app.include_router(router)
    app.add_exception_handler(SentinelError, problem_reply)
    app.add_exception_handler(RequestValidationError, invalid_parameters_reply)
    return app

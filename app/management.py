"""The management application: every route except the scoring routes and BentoML's own."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError

from api.dependencies import ApiDependencies
from app import pages
from app.openapi import ROUTERS
from scoring.errors import SentinelError
from web.problems import handle_error


def create_app(dependencies: ApiDependencies) -> FastAPI:
    """Return the FastAPI application with every management route.

    Args:
        dependencies: database pool, authentication and caches that the routes use.
    """
    app = FastAPI(
        openapi_url=None,
        redirect_slashes=False,
        exception_handlers={SentinelError: handle_error, RequestValidationError: handle_error},
    )
    app.state.dependencies = dependencies
    for router in (*ROUTERS, pages.router):
        app.include_router(router)
    return app

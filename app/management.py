"""The management application: every route and page but the scoring routes and BentoML's own."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from api.dependencies import ApiDependencies
from app import pages
from app.openapi import ROUTERS
from console.routes import ROUTERS as CONSOLE
from scoring.errors import SentinelError
from web.problems import handle_error, problem_response

_ROUTERS = (*ROUTERS, pages.router, *CONSOLE)


def create_app(dependencies: ApiDependencies) -> FastAPI:
    """Return the FastAPI application with every management route.

    Args:
        dependencies: database pool, authentication and caches that the routes use.
    """
    app = FastAPI(
        openapi_url=None,
        redirect_slashes=False,
        exception_handlers={
            SentinelError: handle_error,
            RequestValidationError: handle_error,
            HTTPStatus.METHOD_NOT_ALLOWED: _not_allowed,
        },
    )
    app.state.dependencies = dependencies
    for router in _ROUTERS:
        app.include_router(router)
    return app


async def _not_allowed(request: Request, _: Exception) -> Response:
    """Reply 405 with the methods of every route of the path; the router names those of the first.

    RFC 9110, section 15.5.6.
    """
    routes = [r for router in _ROUTERS for r in router.routes if isinstance(r, Route)]
    matching = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    allowed = {method for route in matching for method in route.methods or ()}
    if "GET" in allowed:
        allowed.add("HEAD")  # `HeadAsGet`
    headers = {"Allow": ", ".join(sorted(allowed))}
    return problem_response(HTTPException(HTTPStatus.METHOD_NOT_ALLOWED, headers=headers))

"""The documentation pages: routes outside the OpenAPI document that answer with HTML."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.dependencies import CurrentDependencies
from app.openapi import document
from app.openapi_of_event_type import document_of
from persistence.api_keys import SCOPES
from persistence.event_types import current_event_type
from web.headers import authorization

router = APIRouter(include_in_schema=False)

# Swagger UI ships inside BentoML, so the page needs nothing from outside.
_SCRIPT = """SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true, persistAuthorization: true,
  defaultModelsExpandDepth: 0, displayRequestDuration: true,
})"""
_PAGE = f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Sentinel API</title>
<link rel="stylesheet" href="/static_content/swagger-ui.css"></head>
<body><div id="swagger-ui"></div>
<script src="/static_content/swagger-ui-bundle.js"></script>
<script>{_SCRIPT}</script>
</body></html>
"""
_SCRIPT_DIGEST = b64encode(sha256(_SCRIPT.encode()).digest()).decode()
# Swagger UI writes styles into its elements, and its pictures are data.
_POLICY = (
    f"default-src 'none'; script-src 'self' 'sha256-{_SCRIPT_DIGEST}'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@router.get("/openapi.json")
async def openapi_json(request: Request, dependencies: CurrentDependencies) -> Response:
    """Serve the OpenAPI document; with an API key, the one with its tenant's event type."""
    content = document()
    if (header := authorization(request)) is not None:
        caller = await dependencies.auth.require(header, *SCOPES)
        stored = await dependencies.run(current_event_type, caller.tenant_id)
        if stored is not None:
            content = document_of(stored.event_type)
    # A cache in between must not give one tenant's document to another.
    headers = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}
    return Response(content, media_type="application/json", headers=headers)


@router.get("/docs")
async def docs_page() -> Response:
    """Serve the page that shows the document."""
    return HTMLResponse(_PAGE, headers={"Content-Security-Policy": _POLICY})


@router.get("/")
async def index() -> Response:
    """Redirect a browser to the page."""
    return RedirectResponse("/docs")

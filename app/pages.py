"""The documentation pages: routes outside the OpenAPI document that answer with HTML."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import HTMLResponse, RedirectResponse, Response

from app.openapi import document

router = APIRouter(include_in_schema=False)

# Swagger UI ships inside BentoML, so the page needs nothing from outside.
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Sentinel API</title>
<link rel="stylesheet" href="/static_content/swagger-ui.css"></head>
<body><div id="swagger-ui"></div>
<script src="/static_content/swagger-ui-bundle.js"></script>
<script>SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true, persistAuthorization: true,
  defaultModelsExpandDepth: 0, displayRequestDuration: true,
})</script>
</body></html>
"""


@router.get("/openapi.json")
async def openapi_json() -> Response:
    """Serve the OpenAPI document."""
    return Response(document(), media_type="application/json")


@router.get("/docs")
async def docs_page() -> Response:
    """Serve the page that shows the document."""
    return HTMLResponse(_PAGE)


@router.get("/")
async def index() -> Response:
    """Redirect a browser to the page."""
    return RedirectResponse("/docs")

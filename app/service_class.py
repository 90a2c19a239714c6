"""The class of the BentoML service: what a worker serves, imported once it comes to that.

`bentoml serve` runs a process that watches over the workers. It makes the service too, but serves
nothing, so neither the application's packages nor those of the pages are imported before
`to_asgi`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bentoml

if TYPE_CHECKING:
    from starlette.applications import Starlette


class SentinelService(bentoml.Service[Any]):
    """A BentoML service that serves through SentinelApp; its class gets the app as `app`."""

    def to_asgi(self, is_main: bool = True) -> Starlette:
        """Build the ASGI application (called once a worker)."""
        from api.review.routes import REVIEW
        from app.bento import SentinelApp
        from app.openapi import PAGES

        for mounted in (REVIEW, PAGES):
            self.mount_asgi_app(mounted)
        self.inject_config()
        factory = SentinelApp(self, is_main=is_main)
        self.inner.app = factory
        app: Starlette = factory()
        # A path with a slash too many is not there, rather than a redirect nobody documented.
        app.router.redirect_slashes = False
        return app

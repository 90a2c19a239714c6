"""The class of the BentoML service: it builds the application in a worker only.

`bentoml serve` runs a process that supervises the workers. It makes the service too, but serves
nothing, so the application's packages are not imported before `to_asgi`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bentoml

if TYPE_CHECKING:
    from starlette.applications import Starlette


class SentinelService(bentoml.Service[Any]):
    """A BentoML service that serves through `app.bento.SentinelApp`."""

    def to_asgi(self, is_main: bool = True) -> Starlette:
        """Build the ASGI application (called once a worker)."""
        from app.bento import SentinelApp

        self.inject_config()
        app: Starlette = SentinelApp(self, is_main=is_main)()
        # A path with a slash too many is 404, rather than a redirect that nothing documents.
        app.router.redirect_slashes = False
        return app

"""The class of the BentoML service, which builds the application in a worker only.

`bentoml serve` runs a process that supervises the workers. That process creates the service but
serves nothing, so the application's packages are imported in `to_asgi`, which only a worker calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bentoml

if TYPE_CHECKING:
    from starlette.applications import Starlette


class SentinelService(bentoml.Service[Any]):
    """A BentoML service that serves through `app.bento.SentinelApp`."""

    def to_asgi(self, is_main: bool = True) -> Starlette:
        """Return the ASGI application; called once a worker."""
        from app.bento import SentinelApp
        from app.connections.draining import drain_before_shutdown
        from app.connections.protocol import use_protocol
        from app.dispatcher_clock import use_monotonic_clock

        use_monotonic_clock()
        self.inject_config()
        factory = SentinelApp(self, is_main=is_main)
        use_protocol(factory.admission, factory.rate_limits, factory.scoring_paths)
        drain_before_shutdown()
        app: Starlette = factory()
        # A path with an extra slash gets 404, not a redirect that no document describes.
        app.router.redirect_slashes = False
        return app

"""Links that answers give out."""

import falcon.asgi


class Links:
    """Absolute links, from the configured address or the one that the client used."""

    def __init__(self, public_url: str | None) -> None:
        self._public_url = public_url.rstrip("/") if public_url else None

    def build(self, request: falcon.asgi.Request, build: int) -> str:
        """Where a build can be read."""
        return f"{self._base(request)}/api/v1/builds/{build}"

    def delivery(self, request: falcon.asgi.Request, delivery: int) -> str:
        """Where a delivery can be read."""
        return f"{self._base(request)}/api/v1/deliveries/{delivery}"

    def _base(self, request: falcon.asgi.Request) -> str:
        return self._public_url or request.prefix

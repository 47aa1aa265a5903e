"""The short way to the endpoints that nearly all requests want: one look in a dict.

In: ASGI calls. Out: the answer of the endpoint with exactly this path, or the same call to the app behind.
Refuses everything but POST to the paths it was given: parameters, wrong methods and unknown paths are the
router's, which tries route by route and wraps each call in layers that these endpoints do not use.
"""

from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from services.ingest import answers
from shared.errors import Invalid, Transient

Endpoint = Callable[[Request], Awaitable[Response]]

EXPECTED = (Invalid, Transient, ClientDisconnect)
"""What an endpoint may raise; anything else is our own bug and goes up to the 500."""


class FastRoutes:
    """The layer right behind the middleware."""

    def __init__(self, app: ASGIApp, *, posts: Mapping[str, Endpoint]) -> None:
        self._app = app
        self._posts = posts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._posts.get(scope["path"]) if scope.get("method") == "POST" else None
        if endpoint is None:
            await self._app(scope, receive, send)
            return
        try:
            response = await endpoint(Request(scope, receive))
        except EXPECTED as error:
            response = answer_to(error)
        await response(scope, receive, send)


def answer_to(error: Exception) -> Response:
    """The one mapping from what an endpoint may raise to what the sender is told."""
    if isinstance(error, Invalid):
        return answers.invalid(error)
    if isinstance(error, Transient):
        return answers.transient(error)
    return answers.http_error(400)

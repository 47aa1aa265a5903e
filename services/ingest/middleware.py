"""What every request passes first: trailing slashes, CORS, room for one more, and the stopwatch.

In: ASGI calls. Out: the same calls to the app behind, or an answer at once (preflights; 503 when full).
Refuses, before a body is read, posts beyond `max_in_flight`, and while Kafka misses its deadlines all but a
few that find out whether it is back: waiting senders would only fill the memory. What browsers fetch (the
snippet, which keeps what it cannot send) waits for nobody, and is never refused.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.ingest import answers, metrics, traced
from services.ingest.registry import Registry
from shared.errors import Transient

if TYPE_CHECKING:
    from shared.traces.otel import Traces

ROUTE: Final = "leadscore.route"
"""Scope key under which an endpoint says its metric label; what says none is `other`."""

PROBES: Final = 8
"""Requests that may wait for Kafka at the same time while it is in trouble."""

_ALLOWED_HEADERS: Final = (
    "authorization, content-type, anonymousid, sentat, x-write-key, x-retry-count, x-enable-debug,"
    " x-ip-policy, sp-anonymous"
)
_PREFLIGHT_S: Final = 86_400
# Without it a sender could post on a connection in the very moment in which we close it, and would have to
# send again; by it, it opens the next one, which a balancer leads to somebody else.
_LAST_ANSWER: Final = {"Connection": "close"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What every request passes on its way in: how many may be inside, and whether they are traced.

    max_in_flight:  while all is well
    trouble:        why Kafka is not well, empty if it is
    closing:        whether this process is about to stop, so that each answer ends its connection
    traces:         where requests are traced; None: they are not
    """

    max_in_flight: int
    trouble: Callable[[], str]
    closing: Callable[[], bool] = lambda: False
    traces: "Traces | None" = None


class Middleware:
    """The outermost of our ASGI layers."""

    def __init__(self, app: ASGIApp, *, registry: Registry, admission: Admission) -> None:
        self._app = app
        self._traces = admission.traces
        self._registry = registry
        self._admission = admission
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # Some SDKs add a slash; a redirect would cost a round trip, and some do not follow one with a body.
        scope["path"] = scope["path"].rstrip("/") or "/"
        origin = self._allowed_origin(scope)
        if self._admission.closing():
            send = _with_headers(send, _LAST_ANSWER)
        if origin:
            send = _with_headers(send, _cors(origin))
        if scope["method"] == "OPTIONS":
            await _preflight(origin)(scope, receive, send)
        elif scope["method"] == "POST" and self._full():
            metrics.TURNED_AWAY.inc()
            response = answers.transient(Transient("too many requests are waiting. Send again later."))
            await response(scope, receive, send)
        else:
            await self._measured(scope, receive, send)

    async def _measured(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on, count it, time it."""
        started_s = time.perf_counter()
        status = 500
        span = None if self._traces is None else traced.begin(self._traces, scope)

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self._in_flight += 1
        metrics.IN_FLIGHT.set(self._in_flight)
        try:
            await self._app(scope, receive, watch)
        finally:
            self._in_flight -= 1
            metrics.IN_FLIGHT.set(self._in_flight)
            route = scope.get(ROUTE, "other")
            metrics.REQUESTS.labels(route=route, status=str(status)).inc()
            metrics.REQUEST_SECONDS.labels(route=route).observe(time.perf_counter() - started_s)
            if span is not None:
                traced.end(span, scope["method"], route, status)

    def _full(self) -> bool:
        allowed = self._admission
        return self._in_flight >= (PROBES if allowed.trouble() else allowed.max_in_flight)

    def _allowed_origin(self, scope: Scope) -> str:
        """The page that sends, if any source takes events from it; empty else, and for programs."""
        for name, value in scope["headers"]:
            if name == b"origin":
                origin = value.decode("latin-1")
                return origin if self._registry.any_allows(origin) else ""
        return ""


def _preflight(origin: str) -> Response:
    """The answer to a browser that asks before it sends."""
    if not origin:
        return Response(status_code=204)
    return Response(
        status_code=204,
        headers={
            "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
            "Access-Control-Allow-Headers": _ALLOWED_HEADERS,
            "Access-Control-Max-Age": str(_PREFLIGHT_S),
        },
    )


def _with_headers(send: Send, headers: Mapping[str, str]) -> Send:
    """The same answers with these headers too."""

    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer = MutableHeaders(scope=message)
            for name, value in headers.items():
                if name == "Vary":  # beside what the answer varies by itself
                    answer.add_vary_header(value)
                else:
                    answer[name] = value
        await send(message)

    return wrapped


def _cors(origin: str) -> dict[str, str]:
    """Let the page read our answer, so that its SDK knows what became of its events."""
    return {
        "Access-Control-Allow-Origin": origin,
        # sendBeacon always asks with credentials; we set no cookies, so this gives nothing away.
        "Access-Control-Allow-Credentials": "true",
        "Access-Control-Expose-Headers": "Retry-After",
        "Vary": "Origin",
    }

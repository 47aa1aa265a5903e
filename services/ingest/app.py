"""The HTTP face of ingest: which path leads where, and one mapping from errors to answers.

In: a `Receiver` and a `Registry`. Out: an ASGI app.
Refuses to do anything a step does better: an endpoint calls one step and wraps what comes back. Endpoints
take raw requests (no FastAPI parameters) because SDKs lie about content types, and parsing twice costs.
"""

from typing import Final

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from services.ingest import answers, authorize, pages
from services.ingest.fast_routes import EXPECTED, Endpoint, FastRoutes, answer_to
from services.ingest.middleware import ROUTE, Admission, Middleware
from services.ingest.not_counted import not_counted
from services.ingest.publish import Parcel
from services.ingest.receive import Receiver
from services.ingest.registry import Registry
from services.ingest.sources import segment
from services.ingest.sources.provider import Provider, Providers, providers
from shared.errors import Invalid
from shared.telemetry import log

BATCH_PATHS: Final = ("/v1/batch", "/v1/b", "/beacon/v1/batch")
CALL_PATHS: Final = {f"/v1/{name}": type_ for type_ in segment.TYPES for name in (type_, type_[0])}
"""Path → type of the call: /v1/track and /v1/t"""

FORM_PATH: Final = "/v1/forms/{form}"
THANKS_PATH: Final = "/v1/forms/thanks"
HOOK_PATH: Final = "/v1/hooks/{provider}/{source}"
SNIPPET_PATH: Final = "/leadscore.js"
SETTINGS_PATH: Final = "/v1/projects/{write_key}/settings"


def create(
    receiver: Receiver, registry: Registry, admission: Admission, known: Providers | None = None
) -> FastAPI:
    """The app with all its routes.

    known:  whose webhooks are taken; without it those that come with Leadscore
    """
    app = FastAPI(
        title="leadscore ingest", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False
    )
    tracking = _tracking(receiver)
    app.add_middleware(FastRoutes, posts=tracking)
    # Added last is passed first.
    app.add_middleware(Middleware, registry=registry, admission=admission)
    for path, endpoint in tracking.items():
        # FastRoutes answers the POSTs; the router knows the paths to say 405 to the rest.
        app.add_route(path, endpoint, methods=["POST"])
    _add_forms(app, receiver)
    _add_hooks(app, receiver, providers() if known is None else known)
    _add_browser(app, registry)
    _add_errors(app)
    return app


def _tracking(receiver: Receiver) -> dict[str, Endpoint]:
    """Segment's and RudderStack's paths, all of them POST."""

    async def batch(request: Request) -> Response:
        request.scope[ROUTE] = "batch"
        return answered(await receiver.batch(request))

    def call(type_: str) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            request.scope[ROUTE] = type_
            return answered(await receiver.call(request, type_))

        return endpoint

    paths: dict[str, Endpoint] = dict.fromkeys(BATCH_PATHS, batch)
    return paths | {path: call(type_) for path, type_ in CALL_PATHS.items()}


def answered(parcel: Parcel) -> Response:
    """The answer to a sender who can do something about what is not counted; a webhook's provider cannot."""
    return answers.accepted(parcel, not_counted(parcel))


def _add_forms(app: FastAPI, receiver: Receiver) -> None:
    async def submit(request: Request) -> Response:
        request.scope[ROUTE] = "form"
        submitted = await receiver.form(request, request.path_params["form"])
        if "text/html" not in request.headers.get("accept", ""):
            return answered(submitted.parcel)
        # 303 turns the POST into a GET, so that a reload does not submit again.
        return RedirectResponse(submitted.next_page or THANKS_PATH, status_code=303)

    async def thanks(request: Request) -> Response:
        request.scope[ROUTE] = "thanks"
        return pages.thanks()

    app.add_route(THANKS_PATH, thanks, methods=["GET"])
    app.add_route(FORM_PATH, submit, methods=["POST"])


def _add_hooks(app: FastAPI, receiver: Receiver, known: Providers) -> None:
    def provider_of(request: Request) -> Provider:
        name = request.path_params["provider"]
        if name not in known:
            raise Invalid("unknown_hook", f"no webhooks of this provider. Providers: {', '.join(known)}")
        return known[name]

    async def hook(request: Request) -> Response:
        provider = provider_of(request)
        request.scope[ROUTE] = provider.name
        return answers.accepted(await receiver.hook(request, provider, request.path_params["source"]))

    async def probe(request: Request) -> Response:
        request.scope[ROUTE] = "probe"
        return JSONResponse(dict(provider_of(request).probe))

    app.add_route(HOOK_PATH, hook, methods=["POST"])
    # Providers look whether an address answers before they take it.
    app.add_route(HOOK_PATH, probe, methods=["GET"])


def _add_browser(app: FastAPI, registry: Registry) -> None:
    """What browsers fetch: the snippet, and the settings that Segment's browser SDK boots from."""

    async def snippet(request: Request) -> Response:
        request.scope[ROUTE] = "snippet"
        return pages.snippet(request.headers)

    async def settings(request: Request) -> Response:
        request.scope[ROUTE] = "settings"
        key = request.path_params["write_key"]
        authorize.by_key(registry, key, dict(request.scope["headers"]))
        return JSONResponse(pages.segment_settings(key, request.url.netloc, request.url.scheme))

    app.add_route(SNIPPET_PATH, snippet, methods=["GET"])
    app.add_route(SETTINGS_PATH, settings, methods=["GET"])


def _add_errors(app: FastAPI) -> None:
    """What the layers around the endpoints tell the sender."""

    async def expected(_request: Request, error: Exception) -> Response:
        return answer_to(error)

    async def framework(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == 404:
            return answers.no_such_path(request.scope["path"])
        return answers.http_error(error.status_code, dict(error.headers or {}))

    async def ours(_request: Request, error: Exception) -> Response:
        log("ingest.request_failed", level="error", error=type(error).__name__)
        return answers.http_error(500)

    for kind in EXPECTED:
        app.add_exception_handler(kind, expected)
    app.add_exception_handler(HTTPException, framework)
    app.add_exception_handler(Exception, ours)

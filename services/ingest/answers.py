"""What a sender is told. The one place that makes status codes and bodies.

In: a parcel, or an error. Out: an HTTP response.
Refuses two things that break SDKs: a success that is not exactly 200 with JSON, and an error without `code`
and `message` (RudderStack's Python SDK takes it for a network fault and sends again, for ever).
"""

import math
import secrets
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec
from starlette.responses import Response

from services.ingest.not_counted import NotCounted
from services.ingest.publish import Parcel
from services.ingest.refusals import STATUS, OverLimit
from shared.errors import Invalid, Transient

MAX_ERRORS: Final = 10
"""Rejected items that an answer names; all of them are on the rejected topic."""

# Jittered, so that clients that failed together do not come back together. SDKs read whole seconds only.
_RETRY_FROM_S: Final = 20
_RETRY_TO_S: Final = 40

_PATHS: Final = (
    "Events go to POST /v1/batch, /v1/track, /v1/identify, /v1/page, /v1/screen, /v1/group or /v1/alias; "
    "forms to /v1/forms/<form>; webhooks to /v1/hooks/<provider>/<source>; the snippet is /leadscore.js"
)
_POSTHOG: Final = "PostHog's clients speak another format: use an SDK of Segment or RudderStack. "
_CLOUDEVENTS: Final = "CloudEvents are not taken here: send the data as a track call. "
# First parts of paths that clients of other products ask for.
_FOREIGN: Final = {
    **dict.fromkeys(("/capture", "/e", "/i", "/decide", "/flags", "/array", "/engage"), _POSTHOG),
    **dict.fromkeys(("/", "/v1/events", "/events", "/cloudevents"), _CLOUDEVENTS),
    "/batch": "Segment's path begins with /v1. ",
}
_ONE_ACCEPTED: Final = b'{"success":true,"accepted":1,"rejected":0}'


def accepted(parcel: Parcel, not_counted: Sequence[NotCounted] = ()) -> Response:
    """200: everything that is an event is durable, also what is not counted."""
    if len(parcel.accepted) == 1 and not parcel.rejected and not not_counted:
        return _json(200, _ONE_ACCEPTED)
    body: dict[str, Any] = {
        "success": True,
        "accepted": len(parcel.accepted),
        "rejected": len(parcel.rejected),
    }
    if parcel.rejected:
        body["errors"] = [
            {
                "index": rejection.index,
                "code": rejection.error.code,
                "message": rejection.error.message,
                "field": rejection.error.field,
            }
            for rejection in parcel.rejected[:MAX_ERRORS]
        ]
    if not_counted:
        body["not_counted"] = not_counted
    return _json(200, msgspec.json.encode(body))


def invalid(error: Invalid) -> Response:
    """4xx: sending the same again would not help."""
    body = {"success": False, "code": error.code, "message": error.message, "field": error.field}
    headers = {"WWW-Authenticate": 'Basic realm="leadscore"'} if STATUS[error.code] == 401 else {}
    return _json(STATUS[error.code], msgspec.json.encode(body), headers)


def transient(error: Transient) -> Response:
    """503, or 429 for a source above its limit: send the same again after `Retry-After`."""
    if isinstance(error, OverLimit):
        wait_s = min(300, max(1, math.ceil(error.retry_after_s or 1)))
        body = {"success": False, "code": "over_limit", "message": str(error)}
        headers = {"Retry-After": str(wait_s), "X-RateLimit-Reset": str(wait_s)}
        return _json(429, msgspec.json.encode(body), headers)
    wait_s = _RETRY_FROM_S + secrets.randbelow(_RETRY_TO_S - _RETRY_FROM_S + 1)
    body = {"success": False, "code": "unavailable", "message": str(error)}
    return _json(503, msgspec.json.encode(body), {"Retry-After": str(wait_s)})


def no_such_path(path: str) -> Response:
    """404: what would work, and for clients of other products why theirs does not."""
    first = (known for known in _FOREIGN if f"{path}/".startswith(f"{known}/"))
    hint = _FOREIGN.get(next(first, ""), "")
    message = f"{hint}Nothing is at this path. {_PATHS}"
    return _json(404, msgspec.json.encode({"success": False, "code": "not_found", "message": message}))


def http_error(status: int, headers: dict[str, str] | None = None) -> Response:
    """What the framework found: no such path, wrong method, our own bug (500)."""
    code = {404: "not_found", 405: "method_not_allowed", 500: "internal"}.get(status, "bad_request")
    message = f"{HTTPStatus(status).phrase}. Events go to POST /v1/batch"
    return _json(status, msgspec.json.encode({"success": False, "code": code, "message": message}), headers)


def _json(status: int, body: bytes, headers: dict[str, str] | None = None) -> Response:
    return Response(body, status_code=status, headers=headers, media_type="application/json")

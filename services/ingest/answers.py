"""What a sender is told. The one place that makes status codes and bodies.

In: a parcel, or an error. Out: an HTTP response.
Refuses two things that break SDKs: a success that is not exactly 200 with JSON, and an error without `code`
and `message` (RudderStack's Python SDK takes it for a network fault and sends again, for ever).
"""

import math
import secrets
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

import msgspec
from starlette.responses import Response

from services.ingest.not_counted import NotCounted
from services.ingest.publish import Parcel, Rejection
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


class RejectedItem(msgspec.Struct, frozen=True, kw_only=True):
    """One item that is no event; it is kept on the rejected topic.

    index:  position in its batch, counted from 0; null if it is the whole body
    field:  where in the item; empty if it is the whole
    """

    index: int | None
    code: str
    message: str
    field: str


class Accepted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that is an event is durable.

    errors:       the first ten that are none
    not_counted:  the first ten that are kept and not counted, because of their user agent
    """

    success: bool
    accepted: int
    rejected: int
    errors: list[RejectedItem] = []
    not_counted: list[NotCounted] = []


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing of it is durable.

    code:     from a closed set
    message:  for a person; names the remedy
    field:    where in the body, if it is about a place in it
    """

    success: bool
    code: str
    message: str
    field: str | msgspec.UnsetType = msgspec.UNSET


def accepted(parcel: Parcel, not_counted: Sequence[NotCounted] = ()) -> Response:
    """200: everything that is an event is durable, also what is not counted."""
    if len(parcel.accepted) == 1 and not parcel.rejected and not not_counted:
        return _json(200, _ONE_ACCEPTED)
    body = Accepted(
        success=True,
        accepted=len(parcel.accepted),
        rejected=len(parcel.rejected),
        errors=[_item(rejection) for rejection in parcel.rejected[:MAX_ERRORS]],
        not_counted=list(not_counted),
    )
    return _json(200, msgspec.json.encode(body))


def _item(rejection: Rejection) -> RejectedItem:
    error = rejection.error
    return RejectedItem(index=rejection.index, code=error.code, message=error.message, field=error.field)


def invalid(error: Invalid) -> Response:
    """4xx: sending the same again would not help."""
    status = STATUS[error.code]
    headers = {"WWW-Authenticate": 'Basic realm="leadscore"'} if status == 401 else {}
    body = Refused(success=False, code=error.code, message=error.message, field=error.field)
    return _json(status, msgspec.json.encode(body), headers)


def transient(error: Transient) -> Response:
    """503, or 429 for a source above its limit: send the same again after `Retry-After`."""
    if isinstance(error, OverLimit):
        wait_s = min(300, max(1, math.ceil(error.retry_after_s or 1)))
        headers = {"Retry-After": str(wait_s), "X-RateLimit-Reset": str(wait_s)}
        return _refused(429, "over_limit", str(error), headers)
    wait_s = _RETRY_FROM_S + secrets.randbelow(_RETRY_TO_S - _RETRY_FROM_S + 1)
    return _refused(503, "unavailable", str(error), {"Retry-After": str(wait_s)})


def no_such_path(path: str) -> Response:
    """404: what would work, and for clients of other products why theirs does not."""
    first = (known for known in _FOREIGN if f"{path}/".startswith(f"{known}/"))
    hint = _FOREIGN.get(next(first, ""), "")
    return _refused(404, "not_found", f"{hint}Nothing is at this path. {_PATHS}")


def http_error(status: int, headers: dict[str, str] | None = None) -> Response:
    """What the framework found: no such path, wrong method, our own bug (500)."""
    code = {404: "not_found", 405: "method_not_allowed", 500: "internal"}.get(status, "bad_request")
    message = f"{HTTPStatus(status).phrase}. Events go to POST /v1/batch"
    return _refused(status, code, message, headers)


def _refused(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Response:
    body = msgspec.json.encode(Refused(success=False, code=code, message=message))
    return _json(status, body, headers)


def _json(status: int, body: bytes, headers: dict[str, str] | None = None) -> Response:
    return Response(body, status_code=status, headers=headers, media_type="application/json")

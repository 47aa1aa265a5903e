"""What browsers fetch from ingest: the snippet, a page that says thanks, Segment's boot settings.

In: request headers. Out: responses.
"""

import gzip
import hashlib
from pathlib import Path
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, Response

_SNIPPET: Final = (Path(__file__).parent / "snippet" / "leadscore.js").read_bytes()
_PACKED: Final = gzip.compress(_SNIPPET, mtime=0)
_ETAG: Final = f'"{hashlib.sha256(_SNIPPET).hexdigest()[:32]}"'
# An hour: long enough to cost little, short enough that a correction reaches every page the same day.
_SNIPPET_HEADERS: Final = {
    "ETag": _ETAG,
    "Cache-Control": "public, max-age=3600",
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Content-Type-Options": "nosniff",
    "Vary": "Accept-Encoding",
}

_THANKS: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Thank you</title>
<style>body{font:1.1rem/1.5 system-ui;max-width:32rem;margin:20vh auto;padding:0 1rem}</style>
<h1>Thank you</h1>
<p>Your message has arrived.</p>
</html>
"""


def snippet(headers: Headers) -> Response:
    """The tracking snippet; 304 to a browser that has it."""
    if headers.get("if-none-match") == _ETAG:
        return Response(status_code=304, headers=_SNIPPET_HEADERS)
    packed = "gzip" in headers.get("accept-encoding", "")
    return Response(
        _PACKED if packed else _SNIPPET,
        media_type="text/javascript",
        headers={**_SNIPPET_HEADERS, **({"Content-Encoding": "gzip"} if packed else {})},
    )


def thanks() -> Response:
    """Where a browser goes whose form names no page of its own."""
    return HTMLResponse(
        _THANKS, headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
    )


def segment_settings(key: str, host: str, scheme: str) -> dict[str, Any]:
    """What Segment's browser SDK asks its CDN for: send everything to us, and load nothing else.

    host: as the browser addressed us, with the port
    """
    return {
        "integrations": {"Segment.io": {"apiKey": key, "apiHost": f"{host}/v1", "protocol": scheme}},
        "plan": {"track": {"__default": {"enabled": True}}, "identify": {"__default": {"enabled": True}}},
        "enabledMiddleware": {},
        "remotePlugins": [],
    }

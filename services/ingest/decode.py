"""Bytes → plain data, for JSON from strangers.

In: the bytes of a body or of one event. Out: dicts, lists, text, numbers, or raw pieces to decode later.
Refuses what is not JSON (NaN, broken UTF-8, numbers no computer holds), too large, too
deep, or has too many keys. Content-Type is never asked: SDKs send JSON under three different ones.
Half surrogate pairs become U+FFFD, because a cut emoji is no reason to lose a batch; NUL characters do too,
because Postgres can store everything in JSON but them.
"""

import re
from typing import Any, Final, TypeVar

import msgspec

from services.ingest.limits import Limits
from shared.errors import Invalid

_BOM: Final = b"\xef\xbb\xbf"
_REPLACEMENT: Final = "\ufffd"
_NUL: Final = re.compile(rb"\\u0000")

# One escape of JSON, whole: a surrogate pair, half of one, or anything else behind a backslash.
_ESCAPE: Final = re.compile(rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(u[dD][89a-fA-F]..)|.)", re.DOTALL)
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")

_any = msgspec.json.Decoder()

Shape = TypeVar("Shape")


def looks_like_json(body: bytes) -> bool:
    """Whether the first byte that is not a space opens an object or a list."""
    return first_byte(body) in {b"{", b"["}


def first_byte(body: bytes) -> bytes:
    """The first that is neither a space nor of a byte order mark; empty if there is none."""
    return body.removeprefix(_BOM).lstrip()[:1]


def whole_characters(body: bytes) -> bytes:
    """The same JSON with each half of a surrogate pair, as a cut emoji leaves it, replaced by U+FFFD.

    The very same object where there is none, which is nearly always and costs next to nothing.
    """
    if b"\\ud" not in body and b"\\uD" not in body:
        return body
    if not looks_like_json(body) or not _SURROGATE.search(body):
        return body
    whole = _ESCAPE.sub(_whole, body)
    return body if whole == body else whole


def _whole(escape: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if escape[1] else escape[0]


def shaped(body: bytes, decoder: "msgspec.json.Decoder[Shape]") -> Shape:
    """A body as what the decoder expects.

    Raises Invalid `invalid_json` with the place, never with the content.
    """
    try:
        return decoder.decode(body.removeprefix(_BOM))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid("invalid_json", f"not the JSON expected here: {_why(error)}") from error


def event_object(raw: bytes, limits: Limits) -> dict[str, Any]:
    """One event as a dict.

    Raises Invalid `too_large`, `invalid_json`, `too_deep`, `too_many_keys`, `not_an_object`.
    """
    if len(raw) > limits.event_bytes:
        raise Invalid(
            "too_large", f"an event of {len(raw)} bytes. At most {limits.event_bytes}; send less in it"
        )
    data = shaped(raw, _any)
    if not isinstance(data, dict):
        raise Invalid("not_an_object", f"an event is a JSON object, not {type(data).__name__}")
    # The bytes give an upper bound for almost nothing; only what exceeds it is walked.
    if raw.count(b"{") + raw.count(b"[") > limits.depth and deeper_than(data, limits.depth):
        raise Invalid("too_deep", f"more than {limits.depth} levels of objects and lists. Flatten it")
    if raw.count(b":") > limits.keys and _keys(data) > limits.keys:
        raise Invalid("too_many_keys", f"more than {limits.keys} keys in one event. Send fewer")
    return without_nul(data) if _NUL.search(raw) else data


def without_nul(data: Any) -> Any:
    """The same data with every NUL character replaced, in keys and values."""
    if isinstance(data, str):
        return data.replace("\0", _REPLACEMENT)
    if isinstance(data, dict):
        return {without_nul(key): without_nul(value) for key, value in data.items()}
    return [without_nul(value) for value in data] if isinstance(data, list) else data


def deeper_than(data: Any, levels: int) -> bool:
    """Whether objects and lists are nested more than so many levels."""
    if not isinstance(data, dict | list):
        return False
    if levels == 0:
        return True
    return any(
        deeper_than(value, levels - 1) for value in (data.values() if isinstance(data, dict) else data)
    )


def _keys(data: Any) -> int:
    if isinstance(data, dict):
        return len(data) + sum(map(_keys, data.values()))
    return sum(map(_keys, data)) if isinstance(data, list) else 0


def _why(error: Exception) -> str:
    """The parser's complaint; UnicodeDecodeError's text would quote the data."""
    if isinstance(error, UnicodeDecodeError):
        return f"invalid UTF-8 (byte {error.start})"
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)

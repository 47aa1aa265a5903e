"""JSON from strangers."""

import pytest

from services.ingest import decode
from services.ingest.limits import Limits
from shared.errors import Invalid

LIMITS = Limits(event_bytes=5000, depth=4, keys=5)


def test_object_is_a_dict() -> None:
    """An event comes out as it went in, a byte order mark left out."""
    assert decode.event_object(b'\xef\xbb\xbf {"a":[1,"b",null]}', LIMITS) == {"a": [1, "b", None]}


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "invalid_json"),
        (b'{"a":', "invalid_json"),
        (b'{"a":1} {"b":2}', "invalid_json"),
        (b'{"a":NaN}', "invalid_json"),
        (b'{"a":Infinity}', "invalid_json"),
        (b'{"a":1e400}', "invalid_json"),
        (b'{"a":"\xff"}', "invalid_json"),
        (b'{"a":"\\ud800"}', "invalid_json"),
        (b'{"a":"\xed\xa0\x80"}', "invalid_json"),
        (b'{"a":' + b"1" * 4400 + b"}", "invalid_json"),
        (b"[" * 1500, "invalid_json"),
        (b'"text"', "not_an_object"),
        (b"[{}]", "not_an_object"),
        (b"null", "not_an_object"),
        (b'{"a":{"b":{"c":{"d":[]}}}}', "too_deep"),
        (b'{"a":1,"b":2,"c":3,"d":{"e":5,"f":6}}', "too_many_keys"),
        (b'{"a":"' + b"x" * 5000 + b'"}', "too_large"),
    ],
)
def test_what_is_no_event_is_refused(raw: bytes, code: str) -> None:
    """Each way of being no event has its code, and none is a crash."""
    with pytest.raises(Invalid) as refused:
        decode.event_object(raw, LIMITS)
    assert refused.value.code == code


def test_brackets_in_text_are_not_depth() -> None:
    """The cheap count of brackets only decides what is looked at closely."""
    text = "{[" * 50 + ":" * 50
    assert decode.event_object(b'{"a":"' + text.encode() + b'"}', LIMITS) == {"a": text}


def test_nul_is_replaced_everywhere() -> None:
    """Postgres cannot store NUL, so it becomes U+FFFD in keys and values, however deep."""
    raw = b'{"a\\u0000":["\\u0000b",{"c":"\\u0000"}]}'
    assert decode.event_object(raw, LIMITS) == {"a\ufffd": ["\ufffdb", {"c": "\ufffd"}]}


def test_messages_never_quote_the_data() -> None:
    """What a person typed does not end up in an error message."""
    with pytest.raises(Invalid) as refused:
        decode.event_object(b'{"email":"ann@example.com\xff"}', LIMITS)
    assert "ann" not in refused.value.message


@pytest.mark.parametrize(
    ("body", "json"),
    [(b" \n{", True), (b"[", True), (b"\xef\xbb\xbf{", True), (b"a=1", False), (b"--x", False), (b"", False)],
)
def test_first_byte_tells_json(body: bytes, *, json: bool) -> None:
    """Content types lie; the first byte does not."""
    assert decode.looks_like_json(body) is json

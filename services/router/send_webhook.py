"""A delivery as a signed HTTP POST (Standard Webhooks).

In: a claimed delivery. Out: `Delivered` for any 2xx, else `Failed` with a reason from a closed set.
Refuses to follow redirects, to wait longer than the deadline, and to read more than 16 kB of a reply.
"""

import asyncio
import ssl
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

import httpx

from services.router.outbound import Denied
from services.router.queue import Delivery
from services.router.retry import Delivered, Failed, Outcome, Reason
from services.router.sign import headers
from shared import tls
from shared.clock import Clock
from shared.traces import TRACEPARENT

MAX_REPLY_BYTES: Final = 16_384
_KEPT_CHARACTERS: Final = 1_000
_TLS_WAYS: Final = "In routing.yaml, ca_file names the CA that signed its certificate, url the name in it"
_THROTTLES: Final = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """One receiver.

    keys:       signing keys, newest first; more than one while a secret is being changed
    request_s:  seconds for one request in all
    """

    client: httpx.AsyncClient
    url: str
    keys: tuple[bytes, ...]
    request_s: float
    clock: Clock

    async def send(self, delivery: Delivery) -> Outcome:
        try:
            async with asyncio.timeout(self.request_s):
                return await self._post(delivery)
        except TimeoutError:
            return Failed(reason="timeout", detail=f"no complete answer within {self.request_s:g} s")
        except Denied as error:
            return Failed(reason="denied_address", detail=str(error))
        except httpx.HTTPError as error:
            return Failed(reason=_why(error), detail=_how(error))

    async def stop(self) -> None:
        await self.client.aclose()

    async def _post(self, delivery: Delivery) -> Outcome:
        now = self.clock.now()
        signed = headers(delivery.delivery_id, delivery.body, self.keys, now)
        async with self.client.stream(
            "POST",
            self.url,
            content=delivery.body,
            headers={"content-type": "application/json", **signed, **_trace(delivery)},
        ) as response:
            reply = await _beginning(response)
        return judge(response.status_code, response.headers, reply, now)


def _trace(delivery: Delivery) -> dict[str, str]:
    """The header by which the receiver's trace goes on from ours, if there is one."""
    return {} if delivery.traceparent is None else {TRACEPARENT: delivery.traceparent}


def judge(status: int, replied: Mapping[str, str], reply: bytes, now: datetime) -> Outcome:
    """What a receiver's answer means (pure).

    replied:  the answer's headers
    reply:    the beginning of its body
    """
    if 200 <= status < 300:
        return Delivered(status=status)
    return Failed(
        reason=_reason(status),
        status=status,
        detail=_readable(reply),
        retry_after_s=_retry_after_s(replied.get("retry-after", ""), now),
    )


def _reason(status: int) -> Reason:
    if status == 410:
        return "gone"
    if status in _THROTTLES:
        return "throttled"
    if status < 400:
        return "redirect"
    return "client_error" if status < 500 else "server_error"


def _retry_after_s(value: str, now: datetime) -> float | None:
    """Retry-After in seconds, whether it counts seconds or names a date; None if it does neither."""
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(timedelta(), at - now).total_seconds()


async def _beginning(response: httpx.Response) -> bytes:
    """At most 16 kB of the reply, as sent: decompressing could make gigabytes of it."""
    reply = bytearray()
    async for chunk in response.aiter_raw(MAX_REPLY_BYTES):
        reply += chunk
        if len(reply) >= MAX_REPLY_BYTES:
            break
    return bytes(reply[:MAX_REPLY_BYTES])


def _readable(reply: bytes) -> str:
    """The beginning of the reply for an operator's screen, without control characters."""
    text = reply.decode(errors="replace")[:_KEPT_CHARACTERS]
    return "".join(" " if unicodedata.category(letter)[0] == "C" else letter for letter in text).strip()


def _why(error: httpx.HTTPError) -> Reason:
    """Our word for what went wrong on the wire."""
    if isinstance(error, httpx.TimeoutException):
        return "timeout"
    if isinstance(error, httpx.ConnectError):
        if _tls_trouble(error):
            return "tls"
        return "dns" if "no address" in str(error) else "connect"
    return "broken_reply"


def _how(error: httpx.HTTPError) -> str:
    """What an operator needs to know to mend it."""
    if trouble := _tls_trouble(error):
        return f"{tls.reason(trouble)} {_TLS_WAYS}"
    return type(error).__name__


def _tls_trouble(error: httpx.HTTPError) -> ssl.SSLError | None:
    return next((cause for cause in _causes(error) if isinstance(cause, ssl.SSLError)), None)


def _causes(error: BaseException) -> list[BaseException]:
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in causes:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    return causes

"""One request, all the way: read → prove → understand → validate → send.

In: an HTTP request. Out: a `Parcel` that Kafka has.
Refuses (`Invalid`) requests as a whole; a bad item in a batch is only itself refused. What a known source
sent and we refused is kept on `leads.rejected.v1`; what nobody is proven to have sent is only counted.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

import msgspec
from starlette.requests import Request

from services.ingest import authorize, decode, metrics
from services.ingest.authorize import Headers
from services.ingest.body import Body, Room
from services.ingest.draft import Arrival, Draft
from services.ingest.limits import Limits
from services.ingest.marked import MarkedEvents
from services.ingest.publish import Parcel, ParcelPublisher, Rejection, count
from services.ingest.refusals import OverLimit
from services.ingest.registry import Registry, Source
from services.ingest.sources import forms, segment
from services.ingest.sources.provider import Provider
from services.ingest.throttle import Throttle
from services.ingest.traced import SPAN
from services.ingest.validate import validate
from shared.clock import Clock
from shared.errors import Invalid
from shared.ids import Ids

_FORGET_IP = frozenset({b"remove", b"none"})


@dataclass(slots=True, kw_only=True)
class Visit:
    """One request while it is being received.

    source:     who sent it, as soon as that is proven
    by_server:  a server of the company's may have sent it
    kept:       what is kept of it if it is refused; None: the body as it came
    """

    request: Request
    headers: Headers
    received_at: datetime
    body: Body
    source: Source | None = None
    by_server: bool = False
    kept: bytes | None = None

    def arrival(self, source: Source) -> Arrival:
        """What all items of this request share."""
        client = self.request.client
        forget_ip = self.headers.get(b"x-ip-policy", b"").lower() in _FORGET_IP
        return Arrival(
            source=source,
            received_at=self.received_at,
            ip="" if client is None or forget_ip else client.host,
            user_agent=self.headers.get(b"user-agent", b"").decode("latin-1"),
            anonymous=self.headers.get(b"sec-gpc") == b"1" or b"sp-anonymous" in self.headers,
            by_server=self.by_server,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """One submit of a form, received.

    next_page: where the browser goes; empty for our own page
    """

    parcel: Parcel
    next_page: str


class Drafts(Protocol):
    """What makes a draft of each raw item of a body: a Segment batch, or a provider's webhook."""

    def draft(self, raw: bytes) -> Draft:
        """One item, its parts found. Raises Invalid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HookItems:
    """The items of a webhook."""

    provider: Provider
    limits: Limits

    def draft(self, raw: bytes) -> Draft:
        """One event of the provider's."""
        return self.provider.draft(decode.event_object(raw, self.limits), raw)


class Receiver:
    """Receives every kind of request. Each method returns when Kafka has the parcel, and raises else.

    Raises Invalid (4xx), OverLimit (429), Transient (503).
    """

    def __init__(
        self, *, registry: Registry, parcels: ParcelPublisher, clock: Clock, ids: Ids, limits: Limits
    ) -> None:
        self._room = Room(limits.bodies_bytes)
        self._registry = registry
        self._parcels = parcels
        self._clock = clock
        self._ids = ids
        self._limits = limits
        # E-mail providers fill their bodies by a rule of their own (SendGrid: 768 KB).
        self._hook_limits = replace(limits, body_bytes=limits.decompressed_bytes)
        self._throttle = Throttle()
        self._marked = MarkedEvents()

    async def batch(self, request: Request) -> Parcel:
        """Many items; a bad one costs only itself."""
        visit = self._visit(request, self._limits)
        async with self._receiving(visit, self._limits.ack_s):
            self._prove(visit)
            items = segment.open_batch(await self._read(visit), self._limits)
            source = self._prove_by_body(visit, items.key)
            self._throttled(source, len(items.raw))
            parcel = self._parcel(visit, source, items.raw, items)
        return await self._sent(visit, parcel, self._limits.ack_s)

    async def call(self, request: Request, type_: str) -> Parcel:
        """One item of the type that the path says."""
        visit = self._visit(request, self._limits)
        async with self._receiving(visit, self._limits.ack_s):
            self._prove(visit)
            item = decode.event_object(await self._read(visit), self._limits)
            source = self._prove_by_body(visit, segment.read_key(item))
            self._throttled(source, 1)
            parcel = self._single(visit, source, segment.draft(item, type_, None))
        return await self._sent(visit, parcel, self._limits.ack_s)

    async def form(self, request: Request, name: str) -> Submitted:
        """One submit of a form."""
        visit = self._visit(request, self._limits)
        async with self._receiving(visit, self._limits.ack_s):
            source, form = self._registry.form(name)
            authorize.check_origin(source, visit.headers)
            visit.source = source
            visit.by_server = form.server
            visit.kept = b""  # until it is known what is a secret in it
            fields = forms.fields(await self._read(visit), self._limits)
            visit.kept = msgspec.json.encode(forms.harmless(fields))
            if len(visit.kept) > self._limits.event_bytes:
                limit = f"At most {self._limits.event_bytes}"
                raise Invalid("too_large", f"a form of {len(visit.kept)} bytes as JSON. {limit}")
            self._throttled(source, 1)
            parcel = self._single(visit, source, forms.draft(fields, form, visit.received_at))
        await self._sent(visit, parcel, self._limits.ack_s)
        return Submitted(parcel=parcel, next_page=forms.next_page(fields, form))

    async def hook(self, request: Request, provider: Provider, source_id: str) -> Parcel:
        """A batch of a provider's events; refused as a whole only while its signature is not verified."""
        visit = self._visit(request, self._hook_limits)
        async with self._receiving(visit, self._limits.hook_ack_s):
            source, trust = self._registry.hook(provider.name, source_id)
            body = await self._read(visit)
            provider.verify(visit.body.wire, visit.headers, trust, visit.received_at)
            parcel = self._hook_parcel(visit, source, provider, body)
        return await self._sent(visit, parcel, self._limits.hook_ack_s)

    def _visit(self, request: Request, limits: Limits) -> Visit:
        return Visit(
            request=request,
            headers=dict(request.scope["headers"]),
            received_at=self._clock.now(),
            body=Body(request, limits, self._room),
        )

    def _prove(self, visit: Visit) -> None:
        """Find the source by headers and query, before the body is read."""
        visit.source = authorize.by_request(
            self._registry, visit.headers, visit.request.scope["query_string"]
        )

    def _prove_by_body(self, visit: Visit, key: object) -> Source:
        """The source, by the key in the body if headers and query had none."""
        if visit.source is None:
            visit.source = authorize.by_key(self._registry, key, visit.headers)
        visit.by_server = visit.source.access == "secret"
        return visit.source

    async def _read(self, visit: Visit) -> bytes:
        """The body; half characters, which would cost a batch all its items, become U+FFFD."""
        body = await visit.body.read()
        metrics.BODY_BYTES.observe(len(body))
        whole = decode.whole_characters(body)
        if whole is not body:
            metrics.HALF_CHARACTERS.inc()
        return whole

    def _throttled(self, source: Source, events: int) -> None:
        wait_s = self._throttle.wait_s(source, events, self._clock.monotonic_s())
        if wait_s:
            raise OverLimit(
                f'source "{source.id}" sends more than {source.events_per_s:g} events/s. Send slower',
                retry_after_s=wait_s,
            )

    def _single(self, visit: Visit, source: Source, draft: Draft) -> Parcel:
        event = validate(draft, visit.arrival(source), self._ids)
        return Parcel(source=source, received_at=visit.received_at, accepted=[event])

    def _hook_parcel(self, visit: Visit, source: Source, provider: Provider, body: bytes) -> Parcel:
        """What a verified body holds; one that nobody understands is kept whole."""
        try:
            raws = provider.split(body)
        except Invalid as error:
            # Providers send again for days what does not get a 2xx, and it would not be better then.
            rejection = Rejection(error=error, raw=body, step="receive")
            return Parcel(source=source, received_at=visit.received_at, rejected=[rejection])
        return self._parcel(visit, source, raws, HookItems(provider=provider, limits=self._limits))

    def _parcel(self, visit: Visit, source: Source, raws: Iterable[bytes], items: Drafts) -> Parcel:
        """Each raw item becomes an event or a rejection, whatever its neighbours are."""
        parcel = Parcel(source=source, received_at=visit.received_at)
        arrival = visit.arrival(source)
        for index, raw in enumerate(raws):
            try:
                parcel.accepted.append(validate(items.draft(raw), arrival, self._ids))
            except Invalid as error:
                parcel.rejected.append(Rejection(error=error, raw=raw, step="validate", index=index))
        return parcel

    async def _sent(self, visit: Visit, parcel: Parcel, deadline_s: float) -> Parcel:
        span = visit.request.scope.get(SPAN)
        try:
            await self._parcels.send(parcel, deadline_s=deadline_s, span=span)
        finally:
            visit.body.leave()
        self._marked.note(parcel)
        return parcel

    @asynccontextmanager
    async def _receiving(self, visit: Visit, deadline_s: float) -> AsyncIterator[None]:
        """Keep a request that is refused if we know whose it is; anybody could fill the topic otherwise.

        What is not refused goes on to `_sent`, which makes room for others.
        """
        try:
            yield
        except Invalid as error:
            await self._refused(visit, error, deadline_s)
            raise
        except BaseException:
            visit.body.leave()
            raise

    async def _refused(self, visit: Visit, error: Invalid, deadline_s: float) -> None:
        raw = visit.body.wire if visit.kept is None else visit.kept
        rejection = Rejection(error=error, raw=raw, step="receive")
        visit.body.leave()
        if visit.source is None:
            count(metrics.NOBODY, 0, [rejection])
            return
        kept = Parcel(source=visit.source, received_at=visit.received_at, rejected=[rejection])
        await self._parcels.send(kept, deadline_s=deadline_s)

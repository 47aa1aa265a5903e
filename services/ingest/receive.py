"""One request, all the way: who sends, what is it, is it an event, is it durable.

In: an HTTP request. Out: a `Parcel` that Kafka has.
Refuses (`Invalid`) requests as a whole; a bad item in a batch is only itself refused. What a known source
sent and we refused is kept on `leads.rejected.v1`; what nobody is proven to have sent is only counted.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from starlette.requests import Request

from services.ingest import authorize, decode, metrics
from services.ingest.authorize import Headers
from services.ingest.body import Body
from services.ingest.draft import Arrival, Draft
from services.ingest.limits import Limits
from services.ingest.publish import Outbox, Parcel, Rejection, count
from services.ingest.refusals import OverLimit
from services.ingest.registry import Hook, Registry, Source
from services.ingest.sources import forms, segment, sendgrid
from services.ingest.throttle import Throttle
from services.ingest.validate import validate
from shared.clock import Clock
from shared.errors import Invalid
from shared.ids import Ids

_FORGET_IP = frozenset({b"remove", b"none"})


@dataclass(slots=True, kw_only=True)
class Visit:
    """One request while it is being received.

    source: who sent it, as soon as that is proven
    """

    request: Request
    headers: Headers
    received_at: datetime
    body: Body
    source: Source | None = None

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
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """One submit of a form, received.

    next_page: where the browser goes; empty for our own page
    """

    parcel: Parcel
    next_page: str


class Receiver:
    """Receives every kind of request. Each method returns when Kafka has the parcel, and raises else.

    Raises Invalid (4xx), OverLimit (429), Transient (503).
    """

    def __init__(self, *, registry: Registry, outbox: Outbox, clock: Clock, ids: Ids, limits: Limits) -> None:
        self._registry = registry
        self._outbox = outbox
        self._clock = clock
        self._ids = ids
        self._limits = limits
        # E-mail providers fill their bodies by a rule of their own (SendGrid: 768 KB).
        self._hook_limits = replace(limits, body_bytes=limits.decompressed_bytes)
        self._throttle = Throttle()

    async def batch(self, request: Request) -> Parcel:
        """Many items; a bad one costs only itself."""
        visit = self._visit(request, self._limits)
        self._prove(visit)
        return await self._received(visit, partial(self._batch, visit), self._limits.ack_s)

    async def call(self, request: Request, type_: str) -> Parcel:
        """One item of the type that the path says."""
        visit = self._visit(request, self._limits)
        self._prove(visit)
        return await self._received(visit, partial(self._call, visit, type_), self._limits.ack_s)

    async def form(self, request: Request, name: str) -> Submitted:
        """One submit of a form."""
        visit = self._visit(request, self._limits)
        with _counted():
            source, form = self._registry.form(name)
            authorize.check_origin(source, visit.headers)
        visit.source = source
        next_page = ""

        def understand(body: bytes) -> Parcel:
            nonlocal next_page
            fields = forms.fields(body, self._limits)
            self._throttled(source, 1)
            next_page = forms.next_page(fields, form)
            return self._single(visit, source, forms.draft(fields, form, visit.received_at))

        parcel = await self._received(visit, understand, self._limits.ack_s)
        return Submitted(parcel=parcel, next_page=next_page)

    async def sendgrid(self, request: Request, source_id: str) -> Parcel:
        """A batch of e-mail events; refused as a whole only while its signature is not verified."""
        visit = self._visit(request, self._hook_limits)
        with _counted():
            source, hook = self._registry.hook("sendgrid", source_id)
        understand = partial(self._sendgrid, visit, source, hook)
        return await self._received(visit, understand, self._limits.hook_ack_s)

    async def _received(
        self, visit: Visit, understand: Callable[[bytes], Parcel], deadline_s: float
    ) -> Parcel:
        """Read, understand, publish; keep what is refused."""
        try:
            body = await visit.body.read()
            metrics.BODY_BYTES.observe(len(body))
            parcel = understand(body)
        except Invalid as error:
            await self._refuse(visit, error, deadline_s)
            raise
        await self._outbox.send(parcel, deadline_s=deadline_s)
        return parcel

    async def _refuse(self, visit: Visit, error: Invalid, deadline_s: float) -> None:
        """Keep a refused request if we know whose it is; anybody could fill the topic otherwise."""
        rejection = Rejection(error=error, raw=visit.body.wire, step="receive")
        if visit.source is None:
            count(metrics.NOBODY, 0, [rejection])
        else:
            parcel = Parcel(source=visit.source, received_at=visit.received_at, rejected=[rejection])
            await self._outbox.send(parcel, deadline_s=deadline_s)

    def _prove(self, visit: Visit) -> None:
        """Find the source by headers and query, before the body is read."""
        query = visit.request.scope["query_string"]
        with _counted():
            visit.source = authorize.by_request(self._registry, visit.headers, query)

    def _batch(self, visit: Visit, body: bytes) -> Parcel:
        items = segment.open_batch(body, self._limits)
        source = self._proven(visit, items.key)
        self._throttled(source, len(items.raw))

        def understand(raw: bytes) -> Draft:
            item = decode.event_object(raw, self._limits)
            return segment.draft(segment.with_defaults(item, items.defaults), None, items.sent)

        return self._judged(visit, source, items.raw, understand)

    def _call(self, visit: Visit, type_: str, body: bytes) -> Parcel:
        item = decode.event_object(body, self._limits)
        source = self._proven(visit, segment.read_key(item))
        self._throttled(source, 1)
        return self._single(visit, source, segment.draft(item, type_, None))

    def _sendgrid(self, visit: Visit, source: Source, hook: Hook, body: bytes) -> Parcel:
        sendgrid.verify(visit.body.wire, visit.headers, hook, visit.received_at)
        try:
            raws = sendgrid.items(body)
        except Invalid as error:
            # Anything but a 2xx and SendGrid sends the same bytes for another day.
            rejection = Rejection(error=error, raw=body, step="receive")
            return Parcel(source=source, received_at=visit.received_at, rejected=[rejection])

        def understand(raw: bytes) -> Draft:
            return sendgrid.draft(decode.event_object(raw, self._limits), raw)

        return self._judged(visit, source, raws, understand)

    def _single(self, visit: Visit, source: Source, draft: Draft) -> Parcel:
        event = validate(draft, visit.arrival(source), self._ids)
        return Parcel(source=source, received_at=visit.received_at, accepted=[event])

    def _judged(
        self, visit: Visit, source: Source, raws: Iterable[bytes], understand: Callable[[bytes], Draft]
    ) -> Parcel:
        """Each raw item becomes an event or a rejection, whatever its neighbours are."""
        parcel = Parcel(source=source, received_at=visit.received_at)
        arrival = visit.arrival(source)
        for index, raw in enumerate(raws):
            try:
                parcel.accepted.append(validate(understand(raw), arrival, self._ids))
            except Invalid as error:
                parcel.rejected.append(Rejection(error=error, raw=raw, step="validate", index=index))
        return parcel

    def _proven(self, visit: Visit, key: object) -> Source:
        """The source, by the key in the body if headers and query had none."""
        if visit.source is None:
            visit.source = authorize.by_key(self._registry, key, visit.headers)
        return visit.source

    def _throttled(self, source: Source, events: int) -> None:
        wait_s = self._throttle.wait_s(source, events, self._clock.monotonic_s())
        if wait_s:
            raise OverLimit(
                f'source "{source.id}" sends more than {source.events_per_s:g} events/s. Send slower',
                retry_after_s=wait_s,
            )

    def _visit(self, request: Request, limits: Limits) -> Visit:
        return Visit(
            request=request,
            headers=dict(request.scope["headers"]),
            received_at=self._clock.now(),
            body=Body(request, limits),
        )


@contextmanager
def _counted() -> Iterator[None]:
    """Count a refusal of somebody whom we do not know."""
    try:
        yield
    except Invalid as error:
        count(metrics.NOBODY, 0, [Rejection(error=error, raw=b"", step="receive")])
        raise

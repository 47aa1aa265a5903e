"""An OpenTelemetry collector on loopback: takes OTLP over HTTP, and keeps the spans."""

from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Request, Response
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from shared.lifecycle import HttpServer


@dataclass(frozen=True, slots=True, kw_only=True)
class Spanned:
    """One span, as it came."""

    service: str
    name: str
    trace: str
    span: str
    parent: str
    failed: str
    attributes: dict[str, Any]


@dataclass(slots=True)
class Collector:
    """Takes spans for as long as it is started."""

    spans: list[Spanned] = field(default_factory=list)
    server: HttpServer | None = None

    @property
    def endpoint(self) -> str:
        assert self.server is not None
        return f"http://{self.server.address}"

    async def start(self) -> None:
        app = FastAPI()

        @app.post("/v1/traces")
        async def take(request: Request) -> Response:
            sent = ExportTraceServiceRequest.FromString(await request.body())
            for resource in sent.resource_spans:
                service = _attributes(resource.resource.attributes)["service.name"]
                for scope in resource.scope_spans:
                    self.spans += [_spanned(service, one) for one in scope.spans]
            return Response(media_type="application/x-protobuf")

        self.server = HttpServer("collector", app, host="127.0.0.1", port=0)
        await self.server.start()

    async def stop(self) -> None:
        if self.server is not None:
            await self.server.stop()

    def of(self, trace: str) -> list[Spanned]:
        """The spans of one trace."""
        return [one for one in self.spans if one.trace == trace]


def _spanned(service: str, one: Any) -> Spanned:
    return Spanned(
        service=service,
        name=one.name,
        trace=one.trace_id.hex(),
        span=one.span_id.hex(),
        parent=one.parent_span_id.hex(),
        failed=one.status.message if one.status.code == Status.STATUS_CODE_ERROR else "",
        attributes=_attributes(one.attributes),
    )


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}

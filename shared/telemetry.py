"""Logs as JSON lines, `/metrics` for Prometheus, `/livez` and `/readyz` for whoever supervises us.

In: a service's name, its readiness checks. Out: a logger, and a small ASGI app for the admin port.
Refuses personal data: a log line is a fixed dotted name (`scorer.batch_committed`) and fields from
closed sets, ids that are pseudonymous, counts and durations.
"""

import logging
import sys
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Gauge, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Check = Callable[[], str]
"""A readiness check: an empty string when fine, else what is wrong in a few words."""

_BUILD_INFO = Gauge("leadscore_build_info", "Always 1; says which version runs.", ["service", "version"])


def configure_logging(service: str, level: str) -> None:
    """Send every log line of this process, ours and libraries', to stderr as one JSON object."""
    enrich: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _name_service(service),
    ]
    structlog.configure(
        processors=[
            *enrich,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=enrich,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.root.handlers = [handler]
    # Libraries explain themselves at info far too often; what matters of theirs we log ourselves.
    logging.root.setLevel(logging.WARNING)


def log(event: str, *, level: str = "info", **fields: Any) -> None:
    """Write one log line: a fixed dotted name, then fields."""
    getattr(structlog.get_logger(), level)(event, **fields)


def admin_app(
    service: str, version: str, *, live: Mapping[str, Check], ready: Mapping[str, Check]
) -> Starlette:
    """The app behind a service's admin port.

        live:   checks whose failure means "kill this process": never the state of another server
        ready:  checks whose failure means "send it nothing now"

    `/livez` and `/readyz` answer 200 or 503 with a JSON body, one entry per check; `/metrics` is the
    process's Prometheus registry. Without FastAPI: a sixth of the start of scorer and router.
    """
    _BUILD_INFO.labels(service=service, version=version).set(1)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)

    async def livez(_: Request) -> Response:
        return _answer(live)

    async def readyz(_: Request) -> Response:
        return _answer(ready)

    paths = {"/metrics": metrics, "/livez": livez, "/healthz": livez, "/readyz": readyz}
    return Starlette(routes=[Route(path, endpoint) for path, endpoint in paths.items()])


def _answer(checks: Mapping[str, Check]) -> JSONResponse:
    """Each check's state; 503 if one is not fine."""
    states = {name: check() for name, check in checks.items()}
    said = {name: state or "ok" for name, state in states.items()}
    return JSONResponse(said, status_code=503 if any(states.values()) else 200)


def _name_service(service: str) -> structlog.types.Processor:
    def add(
        _logger: structlog.types.WrappedLogger, _method: str, event_dict: structlog.types.EventDict
    ) -> structlog.types.EventDict:
        event_dict["service"] = service
        return event_dict

    return add

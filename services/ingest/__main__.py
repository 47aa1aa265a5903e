"""The ingest process: wiring only.

In: the environment (services/ingest/settings.py) and sources.yaml. Out: a process that takes events until it
is told to stop. Refuses to start with wrong settings or wrong sources; both list every mistake.
"""

import asyncio
import os
import sys
from importlib.metadata import version

from services.ingest import app, source_file
from services.ingest.middleware import Admission
from services.ingest.publish import ParcelPublisher
from services.ingest.receive import Receiver
from services.ingest.registry import Registry
from services.ingest.settings import IngestSettings
from services.ingest.sources.provider import Providers, providers
from shared import settings as settings_reader
from shared.clock import SystemClock
from shared.errors import Misconfigured
from shared.ids import SystemIds
from shared.kafka.connect import connection, topics
from shared.kafka.publish import KafkaPublisher
from shared.lifecycle import Drain, HttpServer, run
from shared.loop_lag import loop_lag
from shared.plugins import packages
from shared.telemetry import admin_app, configure_logging
from shared.traces import open_traces

_ANSWER_S = 1.0
"""What an answer takes beside Kafka's acknowledgement."""


async def serve(settings: IngestSettings, registry: Registry, known: Providers) -> None:
    """Run ingest until it is told to stop."""
    publisher = KafkaPublisher(connection(settings, "leadscore-ingest"))
    receiver = Receiver(
        registry=registry,
        parcels=ParcelPublisher(publisher, topics(settings)),
        clock=SystemClock(),
        ids=SystemIds(),
        limits=settings.limits(),
    )
    traces = open_traces("ingest", settings)
    stopping = asyncio.Event()
    admission = Admission(
        max_in_flight=settings.max_in_flight,
        trouble=publisher.trouble,
        closing=stopping.is_set,
        traces=traces,
    )
    admin = admin_app(
        "ingest",
        version("leadscore"),
        live={},
        ready={"kafka": publisher.unready, "stopping": lambda: "draining" if stopping.is_set() else ""},
    )
    await run(
        [
            *([traces] if traces else []),
            publisher,
            loop_lag(),
            HttpServer("admin", admin, host=settings.admin_host, port=settings.admin_port),
            HttpServer(
                "ingest",
                app.create(receiver, registry, admission, known),
                host=settings.host,
                port=settings.port,
                drain_s=settings.ack_s + _ANSWER_S,
                proxies=settings.trusted_proxies,
            ),
            # Stopped first: senders and balancers find another process before this one takes no connection.
            Drain("senders", lambda: asyncio.sleep(settings.drain_s)),
        ],
        stopping=stopping,
    )


def _registry(settings: IngestSettings, known: Providers) -> Registry:
    """The sources, or all that is wrong with them."""
    try:
        text = settings.sources_file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(
            "The sources cannot be read:",
            [f"{settings.sources_file}: {error}. Set LEADSCORE_INGEST_SOURCES_FILE to a sources.yaml"],
        ) from error
    return source_file.read(text, file=str(settings.sources_file), environment=os.environ, known=known)


def main() -> int:
    """Start, and say in plain words why not."""
    try:
        settings = settings_reader.load(IngestSettings)
        known = providers(packages(settings.providers))
        registry = _registry(settings, known)
        configure_logging("ingest", settings.log_level)
        asyncio.run(serve(settings, registry, known))
    except Misconfigured as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

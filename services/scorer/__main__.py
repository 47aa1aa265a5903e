"""The scorer process: wiring only.

In: the environment (services/scorer/settings.py). Out: a process that counts until it is told to stop.
Refuses to start with wrong settings or a wrong model; both list every mistake.
"""

import asyncio
import os
import socket
import sys
from importlib.metadata import version
from pathlib import Path

from services.scorer import metrics
from services.scorer.consume import Consumer
from services.scorer.count import Counter
from services.scorer.offsets import Offsets
from services.scorer.settings import ScorerSettings
from services.scorer.settle import ActiveModel
from services.scorer.store import models
from services.scorer.sweep import Sweep
from shared import database as postgres
from shared import settings as settings_reader
from shared.clock import SystemClock
from shared.errors import Misconfigured, Transient
from shared.ids import SystemIds
from shared.kafka.connect import connection, topics
from shared.kafka.stream import KafkaStream
from shared.lifecycle import BackgroundTask, Drain, HttpServer, run
from shared.scoring.model_file import list_files, list_values, load
from shared.telemetry import admin_app, configure_logging, log


async def serve(settings: ScorerSettings) -> None:
    """Run the scorer until it is told to stop."""
    text = _text(settings.model_file)
    lists = _lists(text, settings.model_file)
    model = load(text, file=str(settings.model_file), lists=lists)
    engine = postgres.engine(
        settings.database_url.get_secret_value(), application="leadscore-scorer", pool_size=settings.lanes + 2
    )
    async with postgres.transaction(engine) as driver:
        active = ActiveModel(model=model, version=await models.activate(driver, model.name, text, lists))
    metrics.MODEL_INFO.labels(model=model.name, version=str(active.version)).set(1)
    topic = topics(settings).events
    counter = Counter(
        active=active,
        identity_key=settings.identity_key.get_secret_value().encode(),
        topic=topic,
        ids=SystemIds(),
    )
    owner = f"{socket.gethostname()}:{os.getpid()}"
    consumer = Consumer(
        offsets=Offsets(group=settings.group, topic=topic, owner=owner),
        database=engine,
        counter=counter,
        clock=SystemClock(),
    )
    stream = KafkaStream(
        connection(settings, "leadscore-scorer"),
        topic=topic,
        group=settings.group,
        owner=consumer.assignment,
        session_s=settings.session_s,
    )
    sweep = Sweep(database=engine, counter=counter, interval_s=settings.sweep_interval_s)
    stopping = asyncio.Event()
    app = admin_app(
        "scorer",
        version("leadscore"),
        live={"loop": consumer.stuck},
        ready={
            "partitions": consumer.assignment.trouble,
            "stopping": lambda: "draining" if stopping.is_set() else "",
        },
    )
    await run(
        [
            Drain("database", engine.dispose),
            HttpServer("admin", app, host=settings.admin_host, port=settings.admin_port),
            stream,
            Drain("batches", consumer.finish),
            BackgroundTask(
                "consume",
                lambda: consumer.run(stream, batch_records=settings.batch_records, lanes=settings.lanes),
            ),
            BackgroundTask("sweep", sweep.run),
        ],
        stopping=stopping,
    )


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(
            "The scoring model cannot be read:",
            [f"{file}: {type(error).__name__}. LEADSCORE_SCORER_MODEL_FILE names the model"],
        ) from error


def _lists(text: str, file: Path) -> dict[str, frozenset[str]]:
    """The lists that the model names by path, relative to its file."""
    return {
        name: list_values(_text(file.parent / path))
        for name, path in list_files(text, file=str(file)).items()
    }


def main() -> int:
    """Start, and say in plain words why not."""
    try:
        settings = settings_reader.load(ScorerSettings)
        configure_logging("scorer", settings.log_level)
        asyncio.run(serve(settings))
    except Misconfigured as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except Transient as error:
        log("scorer.stopped", level="error", reason=str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

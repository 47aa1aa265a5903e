"""The scorer process: wiring only.

In: the environment (services/scorer/settings.py). Out: a process that counts until it is told to stop.
Refuses to start with wrong settings or a wrong model; both list every mistake.
"""

import asyncio
import os
import socket
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

import uvloop
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.applications import Starlette

from services.scorer.accounts.keep import AccountKeeper
from services.scorer.board.keep import BoardKeeper
from services.scorer.books import Books
from services.scorer.collector import spare_what_stays
from services.scorer.consume import Consumer
from services.scorer.count import BatchCounter
from services.scorer.judge.judge_of import judge_of
from services.scorer.models import first_model
from services.scorer.models.in_force import ModelsInForce
from services.scorer.models.rescore import Rescore
from services.scorer.offsets import Offsets
from services.scorer.retention.apply import Retention
from services.scorer.settings import ScorerSettings
from services.scorer.store import identity_keys
from services.scorer.sweep import Sweep
from shared import database as postgres
from shared import settings as settings_reader
from shared.clock import SystemClock
from shared.database_pool import show_pool
from shared.errors import Misconfigured, Transient
from shared.ids import SystemIds
from shared.kafka.connect import connection, topics
from shared.kafka.stream import KafkaStream
from shared.lifecycle import BackgroundTask, Drain, HttpServer, Part, run
from shared.loop_lag import loop_lag
from shared.telemetry import admin_app, configure_logging, log
from shared.traces import open_traces

if TYPE_CHECKING:
    from shared.traces.otel import Traces


def main() -> int:
    """Start, and say in plain words why not: 2 for wrong configuration, 1 for what may pass."""
    try:
        settings = settings_reader.load(ScorerSettings)
        configure_logging("scorer", settings.log_level)
        # A batch of five events costs 13 % less CPU than on asyncio's own loop.
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(settings))
    except Misconfigured as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except Transient as error:
        log("scorer.stopped", level="error", reason=str(error))
        return 1
    return 0


async def serve(settings: ScorerSettings) -> None:
    """Run the scorer until it is told to stop."""
    url = settings.database_url.get_secret_value()
    # One each for batches, sweep, rescore, regroup, neighbours, accounts, board, books and retention, and one
    # for claims.
    pool = postgres.engine(url, application="leadscore-scorer", pool_size=10)
    show_pool(pool)
    await first_model.ensure_first_model(pool, settings.model_file)
    rules = settings.rules()
    await identity_keys.ensure(pool, rules)
    counter = BatchCounter(
        models=ModelsInForce(changed=spare_what_stays, identity_key=rules.fingerprint),
        rules=rules,
        limits=settings.limits(),
        judge=judge_of(settings, rules),
        topic=topics(settings).events,
        ids=SystemIds(),
    )
    stopping = asyncio.Event()
    traces = open_traces("scorer", settings)
    await run(parts(settings, pool, counter, stopping, traces), stopping=stopping)


def parts(
    settings: ScorerSettings,
    pool: AsyncEngine,
    counter: BatchCounter,
    stopping: asyncio.Event,
    traces: "Traces | None" = None,
) -> list[Part]:
    """Every part of a scorer, in the order of their start."""
    topic = topics(settings).events
    owner = f"{socket.gethostname()}:{os.getpid()}"
    offsets = Offsets(group=settings.group, topic=topic, owner=owner)
    consumer = Consumer(
        offsets=offsets,
        database=pool,
        counter=counter,
        clock=SystemClock(),
        traces=traces,
    )
    stream = KafkaStream(
        connection(settings, "leadscore-scorer"),
        topic=topic,
        group=settings.group,
        owner=consumer.assignment,
        session_s=settings.session_s,
    )

    async def consume() -> None:
        await consumer.run(stream, batch_records=settings.batch_records)

    return [
        *([traces] if traces else []),
        Drain("database", pool.dispose),
        HttpServer("admin", _admin(consumer, stopping), host=settings.admin_host, port=settings.admin_port),
        loop_lag(),
        stream,
        Drain("batches", consumer.finish),
        BackgroundTask("consume", consume),
        *_beside(settings, pool, counter, consumer),
        BackgroundTask("books", Books(database=pool, offsets=offsets).run),
    ]


def _beside(
    settings: ScorerSettings, pool: AsyncEngine, counter: BatchCounter, consumer: Consumer
) -> list[Part]:
    """The loops that work beside the path of events."""
    interval_s = settings.sweep_interval_s
    sweep = Sweep(database=pool, counter=counter, interval_s=interval_s)
    rescore = Rescore(database=pool, counter=counter, interval_s=interval_s, behind=consumer.behind)
    accounts = AccountKeeper(database=pool, models=counter.models, interval_s=interval_s)
    board = BoardKeeper(
        database=pool, noted=counter.models.noted, interval_s=interval_s, behind=consumer.behind
    )

    async def regroup() -> None:
        await consumer.regroup.run(interval_s)

    async def neighbours() -> None:
        await consumer.neighbours.run(interval_s)

    return [
        BackgroundTask("sweep", sweep.run),
        BackgroundTask("rescore", rescore.run),
        BackgroundTask("regroup", regroup),
        BackgroundTask("neighbours", neighbours),
        BackgroundTask("accounts", accounts.run),
        BackgroundTask("board", board.run),
        BackgroundTask("retention", Retention(database=pool, settings=settings).run),
    ]


def _admin(consumer: Consumer, stopping: asyncio.Event) -> Starlette:
    ready = {
        "partitions": consumer.assignment.trouble,
        "stopping": lambda: "draining" if stopping.is_set() else "",
    }
    return admin_app("scorer", version("leadscore"), live={"loop": consumer.stuck}, ready=ready)


if __name__ == "__main__":
    sys.exit(main())

"""Embedded Apache Kafka: one KRaft node (broker and controller), one JVM, one folder.

In: a folder, ports, a cache for the jars. Out: the bootstrap address of a broker that answers.
Refuses to run without a Java or with a jar that is not the listed one; makes no topic by itself.

Every property that differs from Kafka's default is here for a measured reason: it is one node on a small
machine that has to be back quickly after kill -9.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import threading
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from services.cli.local import jars, java, ports
from services.cli.local.process import Child, Command, stop_leftover, until
from services.cli.local.server import LocalServer
from shared.errors import Misconfigured

# After kill -9 it reads again what it had not flushed: gigabytes at worst. Stopped at that, it begins anew.
_START_LIMIT_S: Final = 600.0
_MEMORY: Final = ("-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_LOGGING: Final = (
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
)
_ALWAYS: Final = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "auto.create.topics.enable": "false",
    # One node: nothing can be replicated.
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    # A group of one machine is complete at once.
    "group.initial.rebalance.delay.ms": "0",
    # After kill -9 the controller waits for the dead broker's session: 12 s by default, 3.4 s so.
    "broker.session.timeout.ms": "1500",
    "broker.heartbeat.interval.ms": "300",
    # 128 MB of the heap by default: a small one runs out of memory.
    "log.cleaner.dedupe.buffer.size": "8388608",
    "log.cleaner.threads": "1",
    "num.network.threads": "2",
    "num.io.threads": "4",
}


class KafkaServer(LocalServer):
    """A broker on 127.0.0.1. Starting and stopping twice is legal.

    folder:       everything it owns: `data`, its properties, log, pid and ports
    cache:        where the jars are kept between starts, and between data folders
    ports:        first wishes for broker and controller; 0 takes any. Those of the last start are kept
    environment:  where JAVA_HOME, PATH and LEADSCORE_KAFKA_JARS are read from
    more:         properties beside ours, or instead of ours
    """

    name = "kafka"

    def __init__(
        self,
        folder: Path,
        *,
        cache: Path,
        wished_ports: tuple[int, int] = (0, 0),
        environment: Mapping[str, str] = os.environ,
        more: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.folder = folder.resolve()
        self.java: java.Java | None = None
        self._more = more
        self._cache = cache.resolve()
        self._wished = wished_ports
        self._environment = environment

    @property
    def bootstrap_servers(self) -> str:
        """Where it answers; only meaningful after start."""
        return f"127.0.0.1:{self.port}"

    async def start(self) -> str:
        """Start it and return its bootstrap address when it answers.

        Raises Misconfigured without Java or jars, or with the end of the log if it does not come up.
        """
        if self.running:
            return self.bootstrap_servers
        self.folder.mkdir(parents=True, exist_ok=True)
        command = self._command()
        await stop_leftover(command)
        found, classpath = await self._until_prepared()
        self.java = found
        self.port, controller = ports.remembered(self.folder / "ports.json", self._wished)
        self._properties.write_text(_properties(self._data.name, (self.port, controller), self._more))
        run = [str(found.program), *_MEMORY, *_LOGGING, "-cp", classpath]
        if not self._data.exists():
            await asyncio.to_thread(self._format, run, controller)
        self._child = Child(replace(command, argv=[*run, "kafka.Kafka", str(self._properties)]))
        await self._until_it_answers(self._child)
        return self.bootstrap_servers

    @property
    def _properties(self) -> Path:
        return self.folder / "server.properties"

    def _command(self) -> Command:
        return Command(
            name=self.name,
            argv=(),
            folder=self.folder,
            mark=str(self._properties),
            stop_signal=signal.SIGTERM,
            stop_s=30.0,
            cwd=self.folder,
            environment=self._javas_environment(),
        )

    def _javas_environment(self) -> dict[str, str]:
        """Nothing of the user's, and a locale in which Java reads a path with letters beyond ASCII."""
        return {"PATH": self._environment.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}

    async def _until_prepared(self) -> tuple[java.Java, str]:
        stop = threading.Event()
        try:
            return await asyncio.to_thread(self._prepare, stop)
        finally:
            # Who cancels a start does not end its thread, and the process waits for that.
            stop.set()

    def _prepare(self, stop: threading.Event) -> tuple[java.Java, str]:
        """The Java and the class path to use."""
        found = java.find(self._environment)
        files = jars.provide(self._cache, jars.wanted(), self._environment, stop)
        # Absolute, because Kafka runs in its own folder.
        return found, os.pathsep.join(str(file.absolute()) for file in files)

    def _format(self, run: list[str], controller: int) -> None:
        """Give the data its cluster id and its one voter, beside the final place: never half a folder."""
        unfinished = self.folder / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        properties = self.folder / "format.properties"
        properties.write_text(_properties(unfinished.name, (self.port, controller), self._more))
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        # `=`: the id may begin with a dash.
        tool = ["kafka.tools.StorageTool", "format", "--standalone", f"--cluster-id={cluster}"]
        done = subprocess.run(
            [*run, *tool, f"--config={properties}"],
            cwd=self.folder,
            env=self._javas_environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode != 0:
            raise Misconfigured(
                f"Kafka could not format {unfinished}:", _last_lines(done.stdout + done.stderr)
            )
        unfinished.rename(self._data)

    async def _until_it_answers(self, child: Child) -> None:
        deadline = time.monotonic() + _START_LIMIT_S
        await child.start()
        while not await self._answers():
            if time.monotonic() > deadline:
                await child.stop()
            if not child.running:
                raise Misconfigured(
                    f"Kafka did not start in {self.folder}; {child.command.log_file} ends with:",
                    child.last_lines(),
                )

    async def _answers(self) -> bool:
        """True when the broker is registered with its controller and answers an admin client."""
        if not await until(lambda: ports.listens(self.port), 0.2):
            return False
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap_servers, request_timeout_ms=2000)
        try:
            await admin.start()
            cluster = await admin.describe_cluster()
            return bool(cluster["brokers"]) and cluster["cluster_id"] == self._cluster_id()
        except (KafkaError, OSError, TimeoutError):
            return False
        finally:
            await admin.close()

    def _cluster_id(self) -> str:
        """The id our data was formatted with: another Kafka may answer on that port."""
        lines = (self._data / "meta.properties").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)["cluster.id"]


def _properties(data: str, at: tuple[int, int], more: Mapping[str, str]) -> str:
    """The text of server.properties.

    data:  name of the folder in Kafka's own: its path may have a comma, at which `log.dirs` is taken apart,
           or letters beyond ISO-8859-1, in which Kafka reads this file
    at:    the ports of broker and controller
    """
    port, controller = at
    here = {
        "log.dirs": data,
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
        "controller.quorum.bootstrap.servers": f"127.0.0.1:{controller}",
    }
    return "".join(f"{key}={value}\n" for key, value in {**_ALWAYS, **here, **more}.items())


def _last_lines(text: str) -> list[str]:
    return text.splitlines()[-8:]

"""`make watch`: Prometheus on the installation that runs on this machine, with our rules.

In: .data/addresses.env, deploy/prometheus. Out: Prometheus on a free port of 127.0.0.1 until Ctrl-C.
Refuses to start where Leadscore does not run, or beside another watch; where Prometheus is missing it fetches
Debian's package into .tools, or says how to get it.

    python -m services.cli.watch [--interval 15s] [--rules deploy/prometheus/rules]
"""

import asyncio
import os
import signal
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from services.cli import prometheus
from services.cli.installation import Installation
from services.cli.local import ports
from services.cli.local.process import Child, Command
from services.cli.supervise import ready
from shared.errors import LeadscoreError, Misconfigured, Transient

_WISHED_PORT: Final = 9090
_READY_LIMIT_S: Final = 30.0
_KEPT: Final = "15d"


def main(argv: list[str]) -> int:
    """Watch until Ctrl-C; 2 if something is missing for it, 1 if Prometheus ends by itself."""
    wishes = _wishes(argv)
    try:
        here = Installation.of(os.environ)
        text = prometheus.CONFIGURATION.read_text()
        settings = configuration(text, here.known(), interval=wishes.interval, rules=wishes.rules)
        _hold(here, _program(), settings)
    except LeadscoreError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, Misconfigured) else 1
    return 0


def _hold(here: Installation, program: str, settings: Mapping[str, Any]) -> None:
    """Watch as the only one here: a second start would stop this Prometheus for a leftover."""
    folder = here.folder / "prometheus"
    with here.claim_watch() as note:
        port = _prepare(folder, settings)
        note(_alerts(port))
        asyncio.run(_until_signal(_command(program, folder, port), port))


def configuration(text: str, known: Mapping[str, str], *, interval: str, rules: Path) -> dict[str, Any]:
    """deploy/prometheus/prometheus.yml with this machine's addresses.

        text:  that file
        known: the variables of addresses.env

    Raises Misconfigured if Leadscore never ran on this machine.
    """
    settings: dict[str, Any] = yaml.safe_load(text)
    settings["global"] = {"scrape_interval": interval, "evaluation_interval": interval}
    settings["rule_files"] = [str(rules / "*.yml")]
    for job in settings["scrape_configs"]:
        name = f"{job['job_name'].upper().replace('-', '_')}_ADMIN_PORT"
        if name not in known:
            raise Misconfigured(
                f"Leadscore does not run here: {name} is not known. Type `make run` first.", []
            )
        job["static_configs"] = [{"targets": [f"127.0.0.1:{known[name]}"]}]
    return settings


def _program() -> str:
    """Prometheus; fetched if it is not here.

    Raises Misconfigured if it cannot be had.
    """
    if found := prometheus.find("prometheus"):
        return found
    print("Prometheus is not on this machine: fetching Debian's package into .tools", flush=True)
    if prometheus.fetch() and (fetched := prometheus.find("prometheus")):
        return fetched
    raise Misconfigured(f"Prometheus could not be fetched. {prometheus.HOW_TO_GET_IT}", [])


def _wishes(argv: list[str]) -> Namespace:
    asked = ArgumentParser(prog="make watch", description="Prometheus on the running installation.")
    asked.add_argument("--interval", default="15s", help="how often to read metrics and rules")
    asked.add_argument("--rules", type=Path, default=prometheus.RULES, help="folder of the rules")
    return asked.parse_args(argv)


def _prepare(folder: Path, settings: Mapping[str, Any]) -> int:
    """Write the configuration; return a free port, the same one as last time if it is free."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "prometheus.yml").write_text(yaml.safe_dump(dict(settings), sort_keys=False))
    return ports.remembered(folder / "ports.json", [_WISHED_PORT])[0]


async def _until_signal(command: Command, port: int) -> None:
    watching = asyncio.create_task(_watch(command, port))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, watching.cancel)
    try:
        await watching
    except asyncio.CancelledError:
        print("stopped", flush=True)


async def _watch(command: Command, port: int) -> None:
    """Start Prometheus, say where it is, and stop it however this ends."""
    child = Child(command)
    try:
        await child.start()
        if said := await ready(f"http://127.0.0.1:{port}/-/ready", _READY_LIMIT_S):
            raise Transient("\n".join([f"Prometheus is not ready: {said}.", *child.last_lines()]))
        print(f"Prometheus watches Leadscore: {_alerts(port)} (Ctrl-C stops it)", flush=True)
        code = await child.wait()
        raise Transient("\n".join([f"Prometheus ended (exit code {code}).", *child.last_lines()]))
    finally:
        await child.stop()


def _alerts(port: int) -> str:
    """The page to look at."""
    return f"http://127.0.0.1:{port}/alerts"


def _command(program: str, folder: Path, port: int) -> Command:
    return Command(
        name="prometheus",
        argv=[
            program,
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--storage.tsdb.retention.time={_KEPT}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
        ],
        folder=folder,
        mark=str(folder / "prometheus.yml"),
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What a deploy file gives a process, tried on our own code: a service that would not start is a failed test.

In: the environment that a container gets, the folder that it finds its files in. Out: nothing, or what the
service would say. And what can be asked of our code: ports, paths of probes, commands.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from typer.testing import CliRunner

from services.cli.__main__ import COMMANDS, application
from services.cli.model.plan.make import PlanSettings
from services.cli.reference import SETTINGS_FILE
from services.ingest import source_file
from services.ingest.settings import IngestSettings
from services.ingest.sources.provider import providers
from services.router import route_file
from services.router.destination import kinds
from services.router.settings import RouterSettings
from services.scorer.models import model_source
from services.scorer.settings import ScorerSettings
from shared.kafka.connect import connection
from shared.leads.identity_settings import IdentitySettings
from shared.settings import DatabaseSettings, KafkaSettings, load
from shared.telemetry import admin_app

KNOWN: Final = frozenset(re.findall(r"^([A-Z][A-Z0-9_]+)=", SETTINGS_FILE.read_text(), re.MULTILINE))
ADMIN_PORTS: Final = {
    "ingest": IngestSettings.model_fields["admin_port"].default,
    "scorer": ScorerSettings.model_fields["admin_port"].default,
    "router": RouterSettings.model_fields["admin_port"].default,
}
PUBLIC_PORT: Final = IngestSettings.model_fields["port"].default
_CA: Final = "/etc/leadscore/tls/ca.crt"


def probe_paths() -> set[str]:
    """What the admin port of every service answers."""
    return {getattr(route, "path", "") for route in admin_app("deploy-test", "0", live={}, ready={}).routes}


def starts(service: str, environment: Mapping[str, str], mounted: Mapping[str, Path]) -> None:
    """Read everything that this service reads at start.

    mounted: path in the container → the file that is there

    Raises Misconfigured with whatever the service would say, AssertionError for a name that nobody reads.
    """
    assert set(environment) - KNOWN == set()
    # A CA is the operator's and is not here; that it is mounted is looked at elsewhere.
    environment = {name: value for name, value in environment.items() if value != _CA}
    if service == "ingest":
        ingest = load(IngestSettings, environment)
        connection(ingest, "test")
        file = mounted[str(ingest.sources_file)]
        source_file.read(file.read_text(), file=str(file), environment=environment, known=providers(()))
        assert "DATABASE_URL" not in environment
    elif service == "scorer":
        scorer = load(ScorerSettings, environment)
        connection(scorer, "test")
        model_source.read(mounted[str(scorer.model_file)])
        assert "DATABASE_URL" in environment
    elif service == "router":
        router = load(RouterSettings, environment)
        connection(router, "test")
        route_file.load(mounted[str(router.routing_file)], environment, kinds(()))
        assert "DATABASE_URL" in environment
    else:
        raise AssertionError(f"there is no service {service}")


def runs(command: Sequence[str], environment: Mapping[str, str]) -> None:
    """Whether this is a command of ours with options that it has, and finds what it needs."""
    assert set(environment) - KNOWN == set()
    asked = CliRunner().invoke(application(COMMANDS, command), [*command, "--help"])
    assert asked.exit_code == 0, asked.output
    if command[0] == "migrate":
        assert (
            load(DatabaseSettings, environment).database_url.get_secret_value() == environment["DATABASE_URL"]
        )
    if command[0] == "topics":
        settings = load(KafkaSettings, {n: v for n, v in environment.items() if v != _CA})
        assert settings.kafka_bootstrap_servers == environment["KAFKA_BOOTSTRAP_SERVERS"]


def commands_find(environment: Mapping[str, str], mounted: Mapping[str, Path]) -> None:
    """Whether any command finds servers, sources, routes and identities, and knows each variable but USER."""
    assert set(environment) - KNOWN - {"USER"} == set()
    assert {"DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS"} <= set(environment)
    environment = {name: value for name, value in environment.items() if value != _CA}
    load(IdentitySettings, environment)
    ingest = load(IngestSettings, environment)
    connection(ingest, "test")
    sources = mounted[str(ingest.sources_file)]
    source_file.read(sources.read_text(), file=str(sources), environment=environment, known=providers(()))
    routing = mounted[str(load(PlanSettings, environment).routing_file)]
    off = route_file.outline(routing.read_text(), environment, file=str(routing)).off
    assert ("crm" in off) is not bool(environment.get("LEADSCORE_CRM_WEBHOOK_URL"))


def variables(file: Path) -> dict[str, str]:
    """NAME=value lines."""
    lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)

"""deploy/compose.yaml: as the published schema wants it, and as our code does. No Docker is needed."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from services.cli.config import write
from tests.deploy import given
from tests.servers import REPOSITORY

FILE: Final = REPOSITORY / "deploy" / "compose.yaml"
COMPOSE: Final[dict[str, Any]] = yaml.safe_load(FILE.read_text())
SERVICES: Final[dict[str, Any]] = COMPOSE["services"]
OURS: Final = {name: one for name, one in SERVICES.items() if one["image"].startswith("leadscore/")}
_INNERMOST: Final = re.compile(r"\$\{([A-Z_]+)(?::([-?])([^${}]*))?\}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What `leadscore config` writes."""
    write(tmp_path / "etc")
    return tmp_path / "etc"


def filled(text: str, values: Mapping[str, str]) -> str:
    """${NAME}, ${NAME:-default} and ${NAME:?complaint}, also one in the other, as compose reads them."""

    def value(match: re.Match[str]) -> str:
        name, kind, rest = match.groups()
        if kind == "?":
            assert values.get(name), f"{name} is not in the environment file"
        return values.get(name) or (rest if kind == "-" else "")

    while (changed := _INNERMOST.sub(value, text)) != text:
        text = changed
    return text


def environment(service: str, values: Mapping[str, str]) -> dict[str, str]:
    """What this container gets; what is empty counts as not set, what is named wins over files."""
    files = [Path(filled(one["path"], values)) for one in SERVICES[service].get("env_file", [])]
    more = {name: value for file in files if file.exists() for name, value in given.variables(file).items()}
    named = SERVICES[service].get("environment", {})
    return more | {name: filled(str(value), values) for name, value in named.items()}


def mounted(folder: Path) -> dict[str, Path]:
    """Where the files of the folder are in the containers."""
    return {f"/etc/leadscore/{path.relative_to(folder)}": path for path in folder.rglob("*")}


def test_it_is_a_compose_file() -> None:
    """The schema that the Compose project publishes finds nothing."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(FILE)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("service", ["ingest", "scorer", "router"])
def test_services_start_with_what_leadscore_config_writes(service: str, folder: Path) -> None:
    """Each finds its settings, its secrets and its file, and reads no variable that it does not know."""
    values = given.variables(folder / "leadscore.env")
    given.starts(service, environment(service, values), mounted(folder))


def test_jobs_are_commands_of_ours(folder: Path) -> None:
    """`migrate` and `topics` exist, with these options, and are told where their server is."""
    values = given.variables(folder / "leadscore.env")
    for job in ("migrate", "topics"):
        given.runs(SERVICES[job]["command"], environment(job, values))
    assert SERVICES["scorer"]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


def test_commands_are_told_what_the_services_are(folder: Path) -> None:
    """`cli` finds servers, sources and routes, and lacks only what just one service reads."""
    values = given.variables(folder / "leadscore.env") | {"LEADSCORE_CRM_WEBHOOK_URL": "https://crm.example"}
    cli = environment("cli", values)
    given.commands_find(cli, mounted(folder))
    told = {name: value for one in OURS for name, value in environment(one, values).items()}
    assert told.items() - cli.items() == {
        ("LEADSCORE_SCORER_MODEL_FILE", "/etc/leadscore/scoring.yaml"),
        ("LEADSCORE_WEBHOOK_SECRET", values["LEADSCORE_WEBHOOK_SECRET"]),
        ("LEADSCORE_WEBHOOK_SECRET_PREVIOUS", ""),
    }


def test_any_other_setting_has_a_file(folder: Path) -> None:
    """What compose.yaml does not name is in settings.env, for all our processes; it may be missing."""
    other = {"LEADSCORE_JUDGE": "off", "LEADSCORE_SCORER_SESSION_S": "20", "LEADSCORE_INGEST_READ_S": "5"}
    (folder / "settings.env").write_text("".join(f"{name}={value}\n" for name, value in other.items()))
    values = given.variables(folder / "leadscore.env")
    for name, service in OURS.items():
        assert other.items() <= environment(name, values).items(), name
        assert [one["required"] for one in service["env_file"]] == [False], name
    for name in ("ingest", "scorer", "router"):
        given.starts(name, environment(name, values), mounted(folder))


def test_servers_of_ones_own_are_settings_only(folder: Path) -> None:
    """DATABASE_URL and KAFKA_… in the environment file win over the servers that compose starts."""
    own = {
        "DATABASE_URL": "postgresql://me@elsewhere/leads?sslmode=verify-full",
        "KAFKA_BOOTSTRAP_SERVERS": "elsewhere:9094",
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_SASL_USERNAME": "me",
        "KAFKA_SASL_PASSWORD": "secret",
        "COMPOSE_PROFILES": "",
    }
    values = given.variables(folder / "leadscore.env") | own
    for name in ("ingest", "scorer", "router"):
        container = environment(name, values)
        assert {key: container[key] for key in own if key in container} == {
            key: own[key] for key in own if key in container
        }
        given.starts(name, container, mounted(folder))
    for name, service in OURS.items():
        needed = service.get("depends_on", {})
        servers = [needed[server] for server in ("kafka", "postgres") if server in needed]
        assert all(one["required"] is False for one in servers), name


def test_the_servers_are_those_that_the_services_look_for(folder: Path) -> None:
    """Name, port, user, password and database of Postgres, name and port of Kafka."""
    values = given.variables(folder / "leadscore.env")
    url = environment("scorer", values)["DATABASE_URL"]
    postgres = environment("postgres", values)
    assert url == (
        f"postgresql://{postgres['POSTGRES_USER']}:{postgres['POSTGRES_PASSWORD']}"
        f"@postgres:5432/{postgres['POSTGRES_DB']}"
    )
    advertised = environment("kafka", values)["KAFKA_ADVERTISED_LISTENERS"]
    assert advertised == f"PLAINTEXT://{environment('scorer', values)['KAFKA_BOOTSTRAP_SERVERS']}"


def test_nothing_listens_for_the_world() -> None:
    """Every published port is on 127.0.0.1, those that the runbook asks among them."""
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    asked = (given.PUBLIC_PORT, *given.ADMIN_PORTS.values())
    assert {f"127.0.0.1:{port}:{port}" for port in asked} <= set(ports)
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_our_containers_are_locked_down() -> None:
    """Read-only root, no capability, no new privilege; none of them is given more."""
    for name, service in OURS.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert "privileged" not in service, name


def test_images_have_the_version_and_the_target_of_their_name() -> None:
    """leadscore/ingest:0.1.0 is built from the target ingest, and 0.1.0 is what pyproject.toml says."""
    version = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    for name, service in OURS.items():
        image, tag = service["image"].removeprefix("leadscore/").split(":")
        assert (service["build"]["target"], tag) == (image, version), name
        assert (FILE.parent / service["build"]["context"]).resolve() == REPOSITORY
        assert (REPOSITORY / service["build"]["dockerfile"]).is_file()


def test_servers_have_health_checks_and_a_place_for_their_data() -> None:
    """Whoever waits for a server knows when it is there, and its data survive the container."""
    for name in ("kafka", "postgres"):
        assert SERVICES[name]["healthcheck"]["test"]
        assert SERVICES[name]["volumes"][0].split(":")[0] in COMPOSE["volumes"]

"""deploy/Dockerfile, as far as it can be told without Docker: what it copies, starts and asks is there."""

import importlib.util
import json
import re
from fnmatch import fnmatch
from typing import Final

import pytest

from tests.deploy import given
from tests.servers import REPOSITORY

TEXT: Final = (REPOSITORY / "deploy" / "Dockerfile").read_text()
STAGES: Final = {
    head.split()[-1]: body
    for head, body in re.findall(r"^FROM (.+)\n((?:(?!FROM ).*\n?)*)", TEXT, re.MULTILINE)
}
SERVICES: Final = ("ingest", "scorer", "router")


def test_what_is_copied_is_there_and_let_through() -> None:
    """Each path of a COPY from the checkout exists, and Dockerfile.dockerignore lets it in."""
    ignore = (REPOSITORY / "deploy" / "Dockerfile.dockerignore").read_text().splitlines()
    allowed = [line[1:] for line in ignore if line.startswith("!")]
    copied = [
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", TEXT, re.MULTILINE)
        for source in line.split()[:-1]
    ]
    assert copied
    assert [path for path in copied if not (REPOSITORY / path).exists()] == []
    assert [path for path in copied if not any(fnmatch(path, f"{each}*") for each in allowed)] == []


def test_the_wheel_is_made_of_everything_that_it_has() -> None:
    """Whatever pyproject.toml puts into the wheel is copied before the wheel is built."""
    project = (REPOSITORY / "pyproject.toml").read_text()
    found = re.search(r"^only-include = (\[.*\])$", project, re.MULTILINE)
    assert found
    assert [path for path in json.loads(found[1]) if f"COPY {path} {path}" not in STAGES["wheel"]] == []


@pytest.mark.parametrize("name", [*SERVICES, "cli"])
def test_packages_come_by_hash_and_only_those_of_the_target(name: str) -> None:
    """Each target has its own lock file; our wheel brings nothing along."""
    packages = STAGES[f"{name}-packages"]
    assert f"COPY deploy/locks/{name}.txt requirements.txt" in packages
    assert "pip install --require-hashes -r requirements.txt" in packages
    assert "pip install --no-index --no-deps /wheel/*.whl" in packages
    assert f"COPY --from={name}-packages /opt/leadscore /opt/leadscore" in STAGES[name]


@pytest.mark.parametrize("name", SERVICES)
def test_services_are_started_and_asked_as_they_are(name: str) -> None:
    """The module exists; port and path of the health check are those of the service."""
    stage = STAGES[name]
    start = json.loads(re.findall(r"^ENTRYPOINT (\[.*\])$", stage, re.MULTILINE)[0])
    assert start[:2] == ["python", "-m"]
    assert importlib.util.find_spec(f"{start[2]}.__main__")
    port, path = re.findall(r"http://127\.0\.0\.1:(\d+)(/\w+)", stage)[0]
    assert int(port) == given.ADMIN_PORTS[name]
    assert path in given.probe_paths()
    exposed = re.findall(r"^EXPOSE (.*)$", stage, re.MULTILINE)[0].split()
    assert exposed == [*([str(given.PUBLIC_PORT)] if name == "ingest" else []), port]


def test_settings_in_it_are_ours() -> None:
    """Every LEADSCORE_ variable of an ENV is in reference.env."""
    named = set(re.findall(r"\b(LEADSCORE_[A-Z_]+)=", TEXT))
    assert named
    assert named - given.KNOWN == set()


def test_it_does_not_run_as_root() -> None:
    """What runs is user 10001, in every target that is more than a stage of the build."""
    assert "USER 10001:10001" in STAGES["runtime"]
    for name in (*SERVICES, "cli"):
        assert f"FROM runtime AS {name}\n" in TEXT
        assert "USER" not in STAGES[name]

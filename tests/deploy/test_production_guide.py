"""docs/guides/production.md: its commands are ours, its settings are known, its files are there."""

import re
import shlex
from typing import Final

import yaml

from services.cli.__main__ import COMMANDS
from tests.deploy import given, queries
from tests.deploy.manifests import K8S, SERVICES, documents
from tests.servers import REPOSITORY

GUIDE: Final = (REPOSITORY / "docs" / "guides" / "production.md").read_text()
BLOCKS: Final = re.findall(r"^```(\w*)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
LINES: Final = [line for kind, text in BLOCKS if kind == "sh" for line in text.splitlines()]
_POD_LABEL: Final = "__meta_kubernetes_pod_label_"


def commands() -> list[list[str]]:
    """The arguments of each `leadscore` in a block, also in a container."""
    starts = r"^(?:\S*/)?leadscore (.*)$|run --rm cli (.*)$"
    found = [match for line in LINES if (match := re.search(starts, line))]
    return [shlex.split((match[1] or match[2]), comments=True) for match in found]


def test_commands_are_ours() -> None:
    """Each exists and has these options."""
    asked = commands()
    assert {"config", "migrate", "topics", "reconcile"} <= {argv[0] for argv in asked}
    for argv in asked:
        name = next(name for name in COMMANDS if argv[: len(name.split())] == name.split())
        options = [each for each in argv[len(name.split()) :] if each.startswith("-")]
        places = {"DATABASE_URL": "postgresql://db", "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092"}
        given.runs([*name.split(), *options], places)


def test_settings_are_known() -> None:
    """What is to be written into leadscore.env is read by somebody."""
    named = {name for _, text in BLOCKS for name in re.findall(r"^([A-Z][A-Z_]+)=", text, re.MULTILINE)}
    named |= set(re.findall(r"`((?:LEADSCORE|KAFKA|COMPOSE|GRAFANA)_[A-Z_]+)(?:=[^`]*)?`", GUIDE))
    assert len(named) > 10
    assert named - given.KNOWN == set()


def test_files_are_there() -> None:
    """Whatever a command names below deploy/ exists, but for what `leadscore config` makes."""
    named = {path for line in LINES for path in re.findall(r"deploy/[\w./@-]+", line)}
    assert named
    missing = [path for path in named if not (REPOSITORY / path).exists()]
    assert missing == ["deploy/k8s/overlays/production/config"]


def test_ports_are_those_of_the_services() -> None:
    """The admin ports that it asks, and the port that a proxy stands before."""
    asked = next(line for line in LINES if "/readyz" in line)
    assert [int(port) for port in re.findall(r"\b(80\d\d)\b", asked)] == list(given.ADMIN_PORTS.values())
    assert f"127.0.0.1:{given.PUBLIC_PORT}/v1/track" in GUIDE


def test_pods_get_the_jobs_that_alerts_go_by() -> None:
    """What the guide adds to Prometheus' discovery makes the jobs of LeadscoreServiceDown of pods' labels."""
    phases, rule = next(yaml.safe_load(text) for kind, text in BLOCKS if kind == "yaml")
    assert not re.fullmatch(phases["regex"], "Running")
    made = set()
    for workload in (one for one in documents(K8S / "base") if one["kind"] == "Deployment"):
        labels = workload["spec"]["template"]["metadata"]["labels"]
        shown = {_POD_LABEL + re.sub(r"\W", "_", name): value for name, value in labels.items()}
        found = re.fullmatch(rule["regex"], ";".join(shown[name] for name in rule["source_labels"]))
        assert found, labels
        made.add(rule["replacement"].replace("$1", found[1]))
    [down] = [alert["expr"] for alert in queries.alerts() if alert["alert"] == "LeadscoreServiceDown"]
    missed = set(re.findall(r'absent\(up\{job="([^"]+)"\}\)', down))
    assert missed == {f"leadscore-{service}" for service in SERVICES}
    assert missed <= made

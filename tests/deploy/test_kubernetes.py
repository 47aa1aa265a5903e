"""deploy/k8s: what pods get and are asked is what our code reads and answers. No cluster is needed."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.cli.config import write
from services.router.outbound import PUBLIC_PORTS
from services.scorer.settings import ScorerSettings
from shared.topics import Topics
from tests.deploy import given
from tests.deploy.manifests import K8S, OVERLAYS, SERVICES, Overlay, documents, pod_of
from tests.servers import REPOSITORY

# What the guide has the operator add to leadscore.env.
ADDED = {"DATABASE_URL": "postgresql://me@db/leads", "KAFKA_SASL_PASSWORD": "secret"}

# Where a collector takes OTLP over HTTP, as docs/guides/traces.md has it.
_TRACES_PORT = 4318


@pytest.fixture(params=OVERLAYS)
def overlay(request: pytest.FixtureRequest, tmp_path: Path) -> Overlay:
    """An overlay with what `leadscore config` writes."""
    write(tmp_path / "config")
    return Overlay(request.param, tmp_path / "config")


def pods(overlay: Overlay) -> dict[str, dict[str, Any]]:
    """Name → pod, of every deployment and job."""
    workloads = {**overlay.all("Deployment"), **overlay.all("Job")}
    return {name: pod_of(workload) for name, workload in workloads.items()}


def containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod.get("initContainers", []), *pod["containers"]]


@pytest.mark.parametrize("service", SERVICES)
def test_services_start_with_what_their_pods_get(overlay: Overlay, service: str, tmp_path: Path) -> None:
    """Each finds its settings, its secrets and its file, and reads no variable that it does not know."""
    pod = pods(overlay)[f"leadscore-{service}"]
    [container] = pod["containers"]
    secrets = ADDED if overlay.name == "production" else {"DATABASE_URL": ADDED["DATABASE_URL"]}
    environment = overlay.environment(container, secrets)
    given.starts(service, environment, overlay.mounted(pod, container, tmp_path / "mounted"))


def test_jobs_and_waiting_containers_are_commands_of_ours(overlay: Overlay) -> None:
    """`migrate`, `topics` and what scorer and router wait with exist, with these options."""
    asked = []
    for pod in pods(overlay).values():
        for container in containers(pod):
            if container["image"] == "leadscore/cli" and "args" in container:
                given.runs(container["args"], overlay.environment(container, ADDED))
                asked.append(" ".join(container["args"]))
    assert sorted(asked) == ["migrate", "migrate --wait", "migrate --wait", "topics --tolerate"]


def test_commands_find_what_they_need(overlay: Overlay, tmp_path: Path) -> None:
    """The pod for commands stays up, has servers, files and secrets, and a folder that can be written to."""
    pod = pods(overlay)["leadscore-cli"]
    [container] = pod["containers"]
    assert container["command"] == ["sleep", "infinity"]
    environment = overlay.environment(container, ADDED | {"LEADSCORE_CRM_WEBHOOK_URL": "https://crm.example"})
    given.commands_find(environment, overlay.mounted(pod, container, tmp_path / "mounted"))
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    empty = {volume["name"] for volume in pod["volumes"] if "emptyDir" in volume}
    assert mounts[container["workingDir"]] in empty


@pytest.mark.parametrize("service", SERVICES)
def test_probes_ask_what_the_service_answers(overlay: Overlay, service: str) -> None:
    """Ports and paths of probes and of Prometheus are those of the admin port."""
    template = overlay.all("Deployment")[f"leadscore-{service}"]["spec"]["template"]
    [container] = template["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"admin": given.ADMIN_PORTS[service]} | (
        {"http": given.PUBLIC_PORT} if service == "ingest" else {}
    )
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = container[probe]["httpGet"]
        assert asked["port"] == "admin"
        assert asked["path"] in given.probe_paths()
    # Liveness never asks for readiness: Kafka being away would restart every pod.
    assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    annotations = template["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(given.ADMIN_PORTS[service])
    assert annotations["prometheus.io/path"] in given.probe_paths()


def test_pods_are_locked_down(overlay: Overlay) -> None:
    """Not root, read-only, without capabilities, without a token of the cluster."""
    for name, pod in pods(overlay).items():
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["automountServiceAccountToken"] is False, name
        for container in containers(pod):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert container["resources"]["limits"]["memory"], name


def test_no_service_of_kubernetes_sets_our_settings(overlay: Overlay) -> None:
    """Kubernetes gives every pod LEADSCORE_INGEST_PORT=tcp://… for the service of that name, unless told."""
    names = {f"{name.upper().replace('-', '_')}_PORT" for name in overlay.all("Service")}
    assert names & given.KNOWN == {"LEADSCORE_INGEST_PORT"}
    assert [name for name, pod in pods(overlay).items() if pod["enableServiceLinks"] is not False] == []


@pytest.mark.parametrize("service", SERVICES)
def test_selectors_find_the_pods(overlay: Overlay, service: str) -> None:
    """Deployment, budget, spread and service mean the labels that the pods have."""
    deployment = overlay.all("Deployment")[f"leadscore-{service}"]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    selectors = [
        deployment["spec"]["selector"],
        overlay.all("PodDisruptionBudget")[f"leadscore-{service}"]["spec"]["selector"],
        *(one["labelSelector"] for one in pod_of(deployment)["topologySpreadConstraints"]),
    ]
    assert [one["matchLabels"] for one in selectors] == [labels] * 4
    if service == "ingest":
        public = overlay.all("Service")["leadscore-ingest"]["spec"]
        assert public["selector"] == labels
        assert public["ports"][0]["targetPort"] == "http"


def test_networks_let_through_what_the_path_of_an_event_needs(overlay: Overlay) -> None:
    """Senders reach ingest only; ingest does not reach Postgres; only the router reaches web servers."""

    def allowed(component: str, direction: str) -> set[int]:
        """Ports that some policy opens for pods of this component."""
        opened = set()
        for policy in overlay.all("NetworkPolicy").values():
            spec = policy["spec"]
            selector = spec["podSelector"]
            wanted = selector["matchLabels"].get("app.kubernetes.io/component", component)
            among = [one["values"] for one in selector.get("matchExpressions", [])]
            if wanted == component and all(component in values for values in among):
                opened |= {port["port"] for rule in spec.get(direction, []) for port in rule["ports"]}
        return opened

    admin = set(given.ADMIN_PORTS.values())
    everybody = {53, 9092, 9093, 9094, _TRACES_PORT}
    assert {name: allowed(name, "ingress") for name in (*SERVICES, "migrate", "cli")} == {
        "ingest": admin | {given.PUBLIC_PORT},
        "scorer": admin,
        "router": admin,
        "migrate": admin,
        "cli": admin,
    }
    assert {name: allowed(name, "egress") for name in (*SERVICES, "migrate", "topics", "cli")} == {
        "ingest": everybody,
        "scorer": everybody | {5432},
        "router": everybody | {5432, *PUBLIC_PORTS},
        "migrate": everybody | {5432},
        "topics": everybody,
        "cli": everybody | {5432},
    }


def test_scorers_scale_by_the_lag_that_they_report(tmp_path: Path) -> None:
    """Topic and consumer group are the scorer's; there are never more scorers than partitions."""
    production = Overlay("production", tmp_path)
    spec = production.all("ScaledObject")["leadscore-scorer"]["spec"]
    [trigger] = spec["triggers"]
    [events] = [topic for topic in Topics().wanted() if topic.name == trigger["metadata"]["topic"]]
    assert events.name == Topics().events
    assert spec["maxReplicaCount"] == events.partitions
    assert trigger["metadata"]["consumerGroup"] == ScorerSettings.model_fields["group"].default
    kafka = given.variables(production.folder / "kafka.env")
    assert trigger["metadata"]["bootstrapServers"] == kafka["KAFKA_BOOTSTRAP_SERVERS"]
    targets = [spec["scaleTargetRef"]["name"]]
    targets += [
        one["spec"]["scaleTargetRef"]["name"] for one in production.all("HorizontalPodAutoscaler").values()
    ]
    assert set(targets) <= set(production.all("Deployment"))
    # An autoscaler and a number in the same file would take turns.
    assert [name for name in targets if "replicas" in production.all("Deployment")[name]["spec"]] == []


def test_patches_mean_what_is_there(overlay: Overlay) -> None:
    """A patch names an object of the base; kustomize refuses others, but only when it is run."""
    for patch in overlay.kustomization.get("patches", []):
        for document in yaml.safe_load_all((overlay.folder / patch["path"]).read_text()):
            assert document["metadata"]["name"] in overlay.all(document["kind"])


def test_images_have_the_version_of_this_release(overlay: Overlay) -> None:
    """Every image of the base is given its tag, and it is the version of pyproject.toml."""
    version = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    used = {container["image"] for pod in pods(overlay).values() for container in containers(pod)}
    assert {one["name"]: one["newTag"] for one in overlay.kustomization["images"]} == dict.fromkeys(
        used, version
    )
    targets = re.findall(
        r"^FROM runtime AS (\w+)$", (REPOSITORY / "deploy/Dockerfile").read_text(), re.MULTILINE
    )
    assert used == {f"leadscore/{target}" for target in targets}


def test_every_file_belongs_to_a_kustomization() -> None:
    """No manifest lies there that nobody applies."""
    named = set()
    for file in K8S.rglob("kustomization.yaml"):
        said = yaml.safe_load(file.read_text())
        listed = [*said.get("resources", []), *said.get("configurations", [])]
        listed += [patch["path"] for patch in said.get("patches", [])]
        named |= {(file.parent / name).resolve() for name in listed} | {file}
    assert [file for file in K8S.rglob("*.yaml") if "config" not in file.parts and file not in named] == []
    assert list(documents(K8S / "base"))

"""The manuals that are written from the code: every setting, every metric.

In: the services' settings classes and metrics, and the variables that others read. Out: the text of
deploy/config/reference.env and of docs/metrics.md.
Refuses to drift: tests/test_docs.py compares the texts with the committed files, `make reference` renews.
"""

import sys
from importlib import import_module
from pathlib import Path
from typing import Final

from prometheus_client.metrics import MetricWrapperBase
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from services.cli.command_reference import FILE as COMMANDS_FILE
from services.cli.command_reference import commands_text
from services.cli.dashboards import write as dashboards
from services.ingest.settings import IngestSettings
from services.router.settings import RouterSettings
from services.scorer.settings import ScorerSettings
from shared.settings import DatabaseSettings, KafkaSettings, ServiceSettings, TopicSettings, variables

_ROOT: Final = Path(__file__).resolve().parents[2]
SETTINGS_FILE: Final = _ROOT / "deploy" / "config" / "reference.env"
METRICS_FILE: Final = _ROOT / "docs" / "metrics.md"

_SHARED: Final[tuple[type[BaseSettings], ...]] = (ServiceSettings, KafkaSettings, DatabaseSettings)
_SERVICES: Final[dict[str, type[BaseSettings]]] = {
    "ingest": IngestSettings,
    "scorer": ScorerSettings,
    "router": RouterSettings,
}

# Read outside the settings classes: by `make`, by the embedded servers, and by name from the YAML files.
_ELSEWHERE: Final[dict[str, tuple[tuple[str, str, str], ...]]] = {
    "one machine (leadscore up, make run)": (
        (
            "LEADSCORE_DATA",
            ".data",
            "Folder of the embedded servers' data, of secrets made up, of pid files.",
        ),
        ("LEADSCORE_CACHE", "", "Folder of downloaded parts; empty: the user's cache folder."),
        ("LEADSCORE_KAFKA_JARS", "", "Folder with Kafka's jars, where they cannot be fetched."),
        ("LEADSCORE_PG_BIN", "", "Folder with PostgreSQL's initdb and postgres, instead of the wheel's."),
        ("LEADSCORE_PYTHON", "", "Python (3.11 or newer) that `make setup` builds the environment with."),
        ("JAVA_HOME", "", "A Java of 17 or newer for the embedded Kafka."),
        ("LEADSCORE_DEMO_MAIL_KEY", "", "Key `leadscore demo` signs e-mail events with; made up by `up`."),
    ),
    "one host (deploy/compose.yaml); all are written by leadscore config": (
        ("LEADSCORE_CONFIG", "", "Folder with sources.yaml, routing.yaml and scoring.yaml."),
        ("POSTGRES_PASSWORD", "", "Password of the Postgres that compose starts."),
        ("GRAFANA_PASSWORD", "", "Password of Grafana's user admin."),
        (
            "COMPOSE_PROFILES",
            "servers",
            "servers: Kafka and Postgres are started too; watch: Prometheus, Grafana.",
        ),
    ),
    "traces, read by OpenTelemetry's SDK (docs/guides/traces.md)": (
        ("OTEL_EXPORTER_OTLP_HEADERS", "", "Headers for the collector, such as a vendor's key; a secret."),
    ),
    "named by the files in deploy/config": (
        ("LEADSCORE_KEY_WEBSITE", "", "sources.yaml: write key of the website; public."),
        ("LEADSCORE_KEY_PRODUCT", "", "sources.yaml: write key of your servers; a secret."),
        ("LEADSCORE_KEY_CRM", "", "sources.yaml: write key of your CRM; a secret."),
        ("SENDGRID_PUBLIC_KEY", "", "sources.yaml: verification key of SendGrid's event webhook."),
        ("LEADSCORE_CRM_WEBHOOK_URL", "", "routing.yaml: where to post leads; empty: nowhere."),
        ("LEADSCORE_WEBHOOK_SECRET", "", "routing.yaml: whsec_… that signs those posts."),
        (
            "LEADSCORE_WEBHOOK_SECRET_PREVIOUS",
            "",
            "routing.yaml: the one before, while the receiver changes.",
        ),
    ),
}

_HEAD: Final = """\
# Every setting there is, with its default. Written by `make reference` from the code; a test compares them.
# A service that finds a mistake refuses to start and lists all of them. Secrets have no default.
"""


_METRIC_MODULES: Final = {
    "Ingest": ("services.ingest.metrics",),
    "Scorer": ("services.scorer.metrics", "shared.kafka.stream"),
    "Router": ("services.router.metrics",),
    "Ingest and router": ("shared.kafka.publish",),
    "Scorer and router": ("shared.database_pool",),
    "Every service": ("shared.telemetry", "shared.loop_lag"),
}
_METRICS_HEAD: Final = """\
# Metrics
Every metric there is, as `/metrics` on each service's admin port shows it. Written by `make reference` from
the code; a test compares them. Labels are closed sets: sources, destinations, topics, stages, codes; never
a person.
"""


def settings_text() -> str:
    """reference.env as it should be."""
    sections = [_HEAD, _section("every service", [one for part in _SHARED for one in variables(part)])]
    seen = {name for part in _SHARED for name, _ in variables(part)}
    for service, settings in _SERVICES.items():
        own = [(name, field) for name, field in variables(settings) if name not in seen]
        sections.append(_section(service, own))
    kept = [(name, field) for name, field in variables(TopicSettings) if name not in seen]
    sections.append(_section("leadscore topics, leadscore up", kept))
    for title, rows in _ELSEWHERE.items():
        lines = [f"# {why}\n{name}={default}\n" for name, default, why in rows]
        sections.append(f"\n# ---- {title}\n" + "\n".join(lines))
    return "".join(sections)


def metrics_text() -> str:
    """docs/metrics.md as it should be."""
    sections = [_METRICS_HEAD]
    for title, modules in _METRIC_MODULES.items():
        rows = [_metric_row(metric) for module in modules for metric in _metrics(module)]
        head = f"\n## {title}\n| metric | type | labels | meaning |\n|---|---|---|---|\n"
        sections.append(head + "".join(rows))
    return "".join(sections)


def _metrics(module: str) -> list[MetricWrapperBase]:
    return [one for one in vars(import_module(module)).values() if isinstance(one, MetricWrapperBase)]


def _metric_row(metric: MetricWrapperBase) -> str:
    described = next(iter(metric.describe()))
    suffix = "_total" if described.type == "counter" else ""
    labels = ", ".join(metric._labelnames) or "none"  # noqa: SLF001 - prometheus_client has no other way to ask
    return f"| `{described.name}{suffix}` | {described.type} | {labels} | {described.documentation} |\n"


def _section(title: str, rows: list[tuple[str, FieldInfo]]) -> str:
    lines = [f"# {field.description}\n{name}={_default(field)}\n" for name, field in rows]
    return f"\n# ---- {title}\n" + "\n".join(lines)


def _default(field: FieldInfo) -> str:
    """The default as one writes it in an environment; empty where there is none."""
    value = field.get_default(call_default_factory=True)
    if field.is_required():
        return ""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, tuple):
        return ",".join(str(part) for part in value)
    return str(value)


if __name__ == "__main__":
    SETTINGS_FILE.write_text(settings_text())
    METRICS_FILE.write_text(metrics_text())
    COMMANDS_FILE.write_text(commands_text())
    dashboards.write()
    sys.stdout.write(f"{SETTINGS_FILE}, {METRICS_FILE}, {COMMANDS_FILE} and {dashboards.FOLDER} written\n")

"""What questions to Prometheus are about.

In: PromQL. Out: the metrics and labels that it names; and those that there are: our services', our recorded
ones, and what Prometheus and its client add by themselves. Refuses to be a parser: promtool is one.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml
from prometheus_client import REGISTRY

from services.cli import reference
from services.cli.prometheus import RULES

_WORDS: Final = {"and", "or", "unless", "by", "on", "without", "ignoring", "group_left", "offset", "bool"}
_BY_THEMSELVES: Final = {"up", "ALERTS"}
_LABELS_BY_THEMSELVES: Final = {"job", "instance", "le", "alertname", "alertstate", "severity"}
_LISTS: Final = re.compile(r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)")
_MATCHERS: Final = re.compile(r"\{([^}]*)\}")


def rules() -> Iterator[dict[str, Any]]:
    """Every rule of deploy/prometheus, recorded or an alert."""
    for path in sorted(RULES.glob("*.yml")):
        for group in yaml.safe_load(path.read_text())["groups"]:
            yield from group["rules"]


def alerts() -> list[dict[str, Any]]:
    return [rule for rule in rules() if "alert" in rule]


def asked(query: str) -> tuple[set[str], set[str]]:
    """The metrics that a query names, and the labels."""
    query = re.sub(r'"[^"]*"', '""', query)
    labels = {label for found in _LISTS.findall(query) for label in re.findall(r"\w+", found)}
    labels |= {label for found in _MATCHERS.findall(query) for label in re.findall(r"(\w+)\s*[=!]", found)}
    bare = _MATCHERS.sub("", _LISTS.sub(" ", re.sub(r"\[[^\]]*\]", "", query)))
    names = set(re.findall(r"(?<![\w.$])([A-Za-z_:][\w:]*)\b(?!\s*\()", bare)) - _WORDS
    return names, labels


def known() -> tuple[set[str], set[str]]:
    """Every metric that a query may name, as it is scraped or recorded, and every label."""
    reference.metrics_text()  # imports every metrics module
    metrics, labels = set(_BY_THEMSELVES), set(_LABELS_BY_THEMSELVES)
    for family in REGISTRY.collect():
        if not family.name.startswith(("leadscore_", "process_")):
            continue
        metrics |= {f"{family.name}{suffix}" for suffix in _SUFFIXES.get(family.type, ("",))}
    row = re.compile(r"^\| `\w+` \| \w+ \| ([\w, ]+) \|", re.MULTILINE)
    for found in row.findall(reference.metrics_text()):
        labels |= set(found.split(", ")) - {"none"}
    return metrics | {rule["record"] for rule in rules() if "record" in rule}, labels


_SUFFIXES: Final = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}


def section_names(page: Path) -> list[str]:
    """The second-level headings of a page."""
    return re.findall(r"^## (.+)$", page.read_text(), re.MULTILINE)

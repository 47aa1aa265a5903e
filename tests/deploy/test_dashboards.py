"""Dashboards are written from code, ask for metrics that there are, and say their units."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.cli.dashboards.panels import Dashboard, Panel, Row, as_json
from services.cli.dashboards.write import FOLDER, texts
from services.cli.prometheus import HOW_TO_GET_IT, find
from tests.deploy.queries import asked, known

PAGES = sorted(FOLDER.glob("*.json"))


def panels(page: Path) -> list[dict[str, Any]]:
    return [panel for panel in json.loads(page.read_text())["panels"] if panel["type"] != "row"]


def queries(page: Path) -> list[str]:
    return [target["expr"] for panel in panels(page) for target in panel["targets"]]


def test_dashboards_are_what_the_code_says() -> None:
    """deploy/grafana/dashboards holds exactly what is generated; `make reference` renews it."""
    assert {path: path.read_text() for path in PAGES} == texts()
    assert [path.stem for path in PAGES] == ["business", "ingest", "overview", "router", "scorer"]


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_panels_ask_for_what_there_is(page: Path) -> None:
    """Every metric and label in a query exists; `{{label}}` in a name is one that the query leaves."""
    metrics, labels = known()
    for panel in panels(page):
        for target in panel["targets"]:
            named, used = asked(target["expr"])
            assert named, panel["title"]
            assert named - metrics == set(), panel["title"]
            assert used - labels == set(), panel["title"]
            assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= labels, panel["title"]


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_prometheus_can_read_every_query(page: Path, tmp_path: Path) -> None:
    """Promtool takes each as the expression of a rule."""
    program = find("promtool")
    if program is None:
        pytest.skip(f"promtool is not on this machine, so no query was parsed. {HOW_TO_GET_IT}")
    recorded = [
        {"record": f"query:{number}", "expr": query.replace("$__rate_interval", "5m")}
        for number, query in enumerate(queries(page))
    ]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": recorded}]}))
    read = subprocess.run([program, "check", "rules", str(file)], capture_output=True, text=True, check=False)
    assert read.returncode == 0, read.stdout + read.stderr


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_panels_have_an_id_of_their_own_a_title_and_a_unit(page: Path) -> None:
    """Grafana drops panels of the same id without a word, and a number without a unit says nothing."""
    everything = json.loads(page.read_text())["panels"]
    ids = [panel["id"] for panel in everything]
    assert len(ids) == len(set(ids))
    for panel in panels(page):
        assert panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["datasource"]["uid"] == "${datasource}"
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24


def test_every_metric_of_ours_is_on_a_dashboard() -> None:
    """A metric that nobody can see was measured for nothing."""
    shown = {name for page in PAGES for query in queries(page) for name in asked(query)[0]}
    bare = {re.sub(r"_(bucket|count|sum)$", "", name) for name in shown}
    named = re.findall(
        r"^\| `(leadscore_\w+)`", (FOLDER.parents[2] / "docs" / "metrics.md").read_text(), re.MULTILINE
    )
    assert len(named) > 40
    assert [name for name in named if name not in bare] == []


def test_panels_fill_rows_from_left_to_right() -> None:
    """Three of eight columns fill a row of 24; the fourth begins the next, and none covers another."""
    four = tuple(Panel(title=f"{n}", unit="s", queries={"up": "up"}) for n in range(4))
    made = as_json(Dashboard(name="x", title="X", rows=(Row(title="one", panels=four),)))
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in made["panels"]]
    assert places == [(0, 0), (0, 1), (8, 1), (16, 1), (0, 9)]

"""One alert per real problem: each is tried, named in the runbook, and asks for metrics that there are."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.cli.__main__ import COMMANDS
from services.cli.prometheus import CONFIGURATION, HOW_TO_GET_IT, find
from tests.deploy.queries import alerts, asked, known, rules, section_names

ROOT = Path(__file__).resolve().parents[2]
RUNBOOK = ROOT / "docs" / "runbook.md"
TRIALS = sorted((ROOT / "deploy" / "prometheus" / "tests").glob("*.yml"))


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = find("promtool")
    if program is None:
        pytest.skip(f"promtool is not on this machine, so this was NOT tried. {HOW_TO_GET_IT}")
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("trial", TRIALS, ids=[path.stem for path in TRIALS])
def test_alerts_fire_when_they_should_and_only_then(trial: Path) -> None:
    """Promtool plays the series of each situation and finds exactly the alerts that it names."""
    tried = promtool("test", "rules", str(trial))
    assert tried.returncode == 0, tried.stdout + tried.stderr


def test_prometheus_takes_the_configuration() -> None:
    """Promtool reads prometheus.yml and every rule file that it names."""
    checked = promtool("check", "config", str(CONFIGURATION))
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_alert_is_tried_both_ways() -> None:
    """For each alert there is a situation in which it fires, and one in which it must not."""
    expectations: list[dict[str, Any]] = [
        one
        for path in TRIALS
        for situation in yaml.safe_load(path.read_text())["tests"]
        for one in situation["alert_rule_test"]
    ]
    fires = {one["alertname"] for one in expectations if one.get("exp_alerts")}
    silent = {one["alertname"] for one in expectations if not one.get("exp_alerts")}
    names = {alert["alert"] for alert in alerts()}
    assert fires == names
    assert silent == names


def test_every_alert_has_a_section_of_the_runbook_and_every_section_an_alert() -> None:
    """By its name, once; and each section says what it means, where to look, what to do, when to stop."""
    sections = section_names(RUNBOOK)
    assert len(sections) == len(set(sections))
    assert set(sections) == {alert["alert"] for alert in alerts()}
    for section in re.split(r"^## ", RUNBOOK.read_text(), flags=re.MULTILINE)[1:]:
        wanted = ("**Means**", "**Look**", "**Do**", "**Stop**")
        assert [word for word in wanted if word not in section] == [], section


def test_every_alert_says_what_whom_and_where_to_read() -> None:
    """A page or a ticket, with a sentence, a figure in another, and the link to its section."""
    for alert in alerts():
        notes = alert["annotations"]
        assert alert["labels"]["severity"] in {"page", "ticket"}, alert
        assert notes["summary"], alert
        assert notes["description"], alert
        assert notes["runbook_url"] == f"docs/runbook.md#{alert['alert'].lower()}"


def test_rules_ask_for_what_there_is() -> None:
    """Every metric and label in a rule exists: a rule about a metric that was renamed would never fire."""
    metrics, labels = known()
    for rule in rules():
        named, used = asked(rule["expr"])
        assert named, rule
        assert named - metrics == set(), rule
        assert used - labels == set(), rule


def test_the_runbook_names_commands_that_there_are() -> None:
    """Whoever is woken types what the page says."""
    text = RUNBOOK.read_text()
    typed = set(re.findall(r"`leadscore ([a-z-]+(?: [a-z]+(?:-[a-z]+)*)?)", text))
    assert typed
    unknown = {words for words in typed if words not in COMMANDS and words.split()[0] not in COMMANDS}
    assert unknown == set()


def test_the_runbook_names_log_lines_that_there_are() -> None:
    """What it says to grep for is in the glossary."""
    glossary = (ROOT / "docs" / "glossary.md").read_text().split("## Log lines")[1]
    named = set(
        re.findall(r"`(?:grep )?((?:scorer|router|ingest|kafka|lifecycle)\.[a-z_]+)`", RUNBOOK.read_text())
    )
    assert len(named) > 10
    assert {name for name in named if f"`{name}`" not in glossary} == set()

"""Every command and setting of docs/guides/clean-signals.md is as it stands there."""

import re
import shlex
from pathlib import Path

from services.scorer.judge.judge_settings import JudgeSettings
from services.scorer.judge.signals import REASONS, STRONG, WEAK
from shared.events import Machine
from shared.leads.trouble import WHY
from shared.settings import variables
from tests.cli.lead.test_who_is_who import Told, run, told
from tests.cli.test_checking_guide import IDS, named
from tests.scorer.identity.people import seen

__all__ = ["told"]

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "guides" / "clean-signals.md").read_text()


def test_every_command_of_the_guide_runs(told: Told) -> None:
    """For a person with an event that counts and one that does not."""
    one, two = sorted(set(IDS.findall(GUIDE)))
    told(
        named(one, seen(1, email="ada@firma.example", name="form.submitted")),
        named(two, seen(2, email="ada@firma.example", machine=Machine(reason="webdriver"))),
    )
    commands = re.findall(r"^leadscore (.+)$", GUIDE, re.MULTILINE)
    assert len(commands) == 4
    for command in commands:
        run(*shlex.split(command))


def test_every_reason_is_told() -> None:
    """In the guide, under its strength, and with a sentence for whoever looks at a lead."""
    strong, weak = GUIDE.split("**Weak**")
    assert {reason for reason in STRONG if f"`{reason}`" not in strong} == set()
    assert {reason for reason in WEAK if f"`{reason}`" not in weak} == set()
    assert REASONS - WHY.keys() == set()


def test_every_setting_is_told() -> None:
    """In full, or by how its name ends."""
    names = [name for name, _ in variables(JudgeSettings)]
    assert [name for name in names if f"`_{name.split('_', 2)[-1]}`" not in GUIDE and name not in GUIDE] == []

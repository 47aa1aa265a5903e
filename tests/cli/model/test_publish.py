"""`leadscore model draft, publish, revert, shadow, history`: what a person types to change a model."""

import asyncio
import json
from pathlib import Path

import pytest

from shared.errors import Invalid, Misconfigured
from tests.cli.model.conftest import Run, rescored
from tests.scorer.conftest import MODEL
from tests.waiting import until

DEARER = MODEL.replace("points: 15", "points: 32")


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    """A file in which a click is worth more."""
    written = tmp_path / "draft.yaml"
    written.write_text(DEARER)
    return written


def lines(run: Run) -> list[tuple[int, str, bool | None, str]]:
    history = json.loads(run("model", "history", "--json").output)
    return [(one["version"], one["action"], one["silent"], one["state"]) for one in reversed(history)]


def test_a_publish_says_how_it_is_to_be_told(scored: str, draft: Path, run: Run) -> None:
    """Without --route or --silent nothing happens, and both are explained."""
    ended = run("model", "publish", str(draft))
    assert isinstance(ended.exception, Misconfigured)
    assert "--silent only records them" in str(ended.exception)
    assert len(lines(run)) == 2


def test_a_file_is_published_and_taken_back(scored: str, draft: Path, run: Run) -> None:
    """Stored, active, reverted: the history has it all, with who and why."""
    told = run(
        "model", "publish", str(draft), "--silent", "--no-wait", "--note", "clicks matter", "--by", "eva"
    )
    assert "version 2 is active; 2 leads are scored anew" in told.output
    assert run("model", "revert", "--route", "--no-wait").exit_code == 0
    assert lines(run)[2:] == [
        (2, "drafted", None, "retired"),
        (2, "published", True, "retired"),
        (1, "reverted", False, "active"),
    ]
    shown = run("model", "history").output
    assert "clicks" in shown
    assert "eva" in shown


def test_waiting_ends_when_every_lead_is_scored(scored: str, draft: Path, run: Run) -> None:
    """A publish whose scorer is running waits for it and tells how many leads moved."""

    async def both() -> str:
        publishing = asyncio.create_task(asyncio.to_thread(run, "model", "publish", str(draft), "--silent"))

        async def done() -> bool:
            await rescored(scored)
            return publishing.done()

        await until(done)
        return (await publishing).output

    assert "2 leads are scored, 1 moves" in asyncio.run(both())


def test_a_broken_file_changes_nothing(scored: str, draft: Path, run: Run) -> None:
    """A mistake is told with its line; no version is stored, the active one stays."""
    draft.write_text(DEARER.replace("group: direct", "group: derict"))
    ended = run("model", "publish", str(draft), "--route", "--no-wait")
    assert isinstance(ended.exception, Misconfigured)
    assert "draft.yaml:" in str(ended.exception)
    assert len(lines(run)) == 2


def test_a_file_whose_situations_fail_is_not_published(scored: str, draft: Path, run: Run) -> None:
    """What its author expects of a model has to hold before it may score."""
    click = "  - {name: a click, events: [{event: email.clicked, age: 1s}], expect: {score: 15}}\n"
    expected = f"situations:\n{click}"
    draft.with_name("draft.situations.yaml").write_text(expected)
    ended = run("model", "publish", str(draft), "--route", "--no-wait")
    assert isinstance(ended.exception, Misconfigured)
    assert "expected 15, seen 32" in str(ended.exception)
    assert len(lines(run)) == 2
    draft.with_name("draft.situations.yaml").write_text(expected.replace("15", "32"))
    assert run("model", "publish", str(draft), "--route", "--no-wait").exit_code == 0


def test_a_version_nobody_stored_is_told(scored: str, run: Run) -> None:
    """The message says where versions are listed."""
    ended = run("model", "publish", "17", "--route", "--no-wait")
    assert isinstance(ended.exception, Invalid)
    assert "there is no version 17" in str(ended.exception)


def test_a_draft_is_stored_and_published_by_its_number(scored: str, draft: Path, run: Run) -> None:
    """Storing a draft changes no score; its number is enough to publish it."""
    assert "version 2 is stored" in run("model", "draft", str(draft)).output
    assert lines(run)[-1] == (2, "drafted", None, "draft")
    assert "version 2 is active" in run("model", "publish", "2", "--route", "--no-wait").output


def test_a_shadow_is_compared_with_the_active_model(scored: str, draft: Path, run: Run) -> None:
    """How many leads would stand elsewhere, and by how many points scores differ."""
    assert "version 2 is in the shadow" in run("model", "shadow", str(draft), "--no-wait").output
    asyncio.run(rescored(scored))
    found = json.loads(run("model", "shadow", "--json").output)
    assert (found["leads"], found["active"], found["shadow"]) == (2, 1, 2)
    assert ["lead", "mql", 1] in found["stages"]
    assert found["mean"] == pytest.approx((0 + (48 - 23)) / 2, abs=1)
    assert "in the shadow" in run("model", "shadow").output
    assert "version 2 scores in the shadow no longer" in run("model", "shadow", "--stop").output
    assert isinstance(run("model", "shadow").exception, Invalid)

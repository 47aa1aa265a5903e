"""The page: well-formed, closed to the world, and safe whatever is written in it."""

import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from services.cli.model.plan.findings import Plan, bins
from services.cli.model.plan.page import cards, heat, render, style_hash
from services.cli.model.plan.plots import HEIGHT, WIDTH, ceiling, chart
from services.cli.model.plan.tally import Line
from services.cli.model.plan.text import show
from shared.scoring.engine.compiled import Compiled
from tests.cli.model.plan.test_findings import plan
from tests.cli.model.plan.worlds import ACTIVE, DEARER, STRICTER, trial

_VOID: Final = {"meta", "link", "img"}
EVIL: Final = "<script>alert(1)</script>[bold]\"'&"


class Checker(HTMLParser):
    """Every tag that opens is closed, in order; what there is is counted."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: dict[str, int] = {}
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen[tag] = self.seen.get(tag, 0) + 1
        self.attributes |= {name for name, _ in attrs}
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen[tag] = self.seen.get(tag, 0) + 1

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def checked(page: str) -> Checker:
    checker = Checker()
    checker.feed(page)
    checker.close()
    assert checker.open == []
    return checker


def evil() -> Plan:
    """A plan in which everything that somebody else may write is hostile."""
    made = plan(trial(DEARER))
    first, *rest = made.movers
    line = Line(rule="r", label=EVIL, before=0, after=1)
    return replace(
        made,
        movers=(msgspec.structs.replace(first, email=EVIL, lines=(line,)), *rest),
        compared=replace(made.compared, draft=EVIL),
        load=tuple(replace(load, queue=EVIL) for load in made.load),
    )


@pytest.mark.parametrize("draft", [ACTIVE, DEARER, STRICTER])
@pytest.mark.parametrize("days", [0, 1, 7, 366])
def test_the_page_is_well_formed(draft: Compiled, days: int) -> None:
    """Every element is closed where it was opened, for plans with and without moves, days, queues."""
    seen = checked(render(plan(trial(draft, days=days)))).seen
    assert seen.get("svg") == (3 if days else 1)
    assert seen["title"] > 1


def test_nothing_is_loaded_and_nothing_runs() -> None:
    """No script, no style attribute, no address of anything; the policy forbids it besides."""
    page = checked(render(evil()))
    assert {"script", "link", "img", "iframe", "form"}.isdisjoint(page.seen)
    assert {"style", "src", "href", "onclick", "onload"}.isdisjoint(page.attributes)


def test_what_others_wrote_is_text() -> None:
    """A label, an address, a queue or a file that looks like markup is shown as it is."""
    page = render(evil())
    assert "<script" not in page
    assert checked(page).text.count(EVIL) > 5


def test_the_policy_names_exactly_the_style_that_is_there() -> None:
    """The hash is that of what stands between the style tags, so a browser applies it and no other."""
    page = render(plan(trial(DEARER)))
    [style] = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    [policy] = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy.startswith("default-src 'none'; ")
    assert f"style-src 'sha256-{style_hash(style)}'" in policy
    assert "unsafe" not in policy


def test_each_plot_has_its_numbers_beside_it() -> None:
    """A table with every bar: for those who cannot see the plot, and for copying."""
    page = checked(render(plan(trial(DEARER))))
    for name in (*bins(), "Mon, 23 Nov 2026", "D3"):
        assert name in page.text


def test_cards_lead_with_what_matters() -> None:
    """Leads that move, where to, and what changes for the queues that are on."""
    shown = [(card.number, card.what) for card in cards(plan(trial(DEARER)))]
    assert shown == [("2", "leads change stage at once"), ("2", "lead → MQL"), ("+0.3", "a day for sales")]


def test_the_matrix_is_warmer_where_more_leads_go() -> None:
    """Up and down have their own colours, staying has none; the strongest is the largest flow."""
    up, down = plan(trial(DEARER)), plan(trial(STRICTER))
    assert (heat(up, "lead", "mql"), heat(up, "lead", "lead"), heat(up, "mql", "lead")) == (
        "up4",
        "stay",
        "none",
    )
    assert heat(down, "mql", "recycled") == "down4"


def test_bars_are_as_long_as_their_numbers() -> None:
    """Bars begin at zero, stay in the picture, and twice the number is twice the length."""
    made = chart([(0, 5), (10, 20)], ["a", "b"])
    heights = [bar.height for bar in made.bars]
    assert heights[0] == 0
    assert heights[3] == pytest.approx(2 * heights[2]) == pytest.approx(4 * heights[1])
    for bar in made.bars:
        assert 0 <= bar.x <= bar.x + bar.width <= WIDTH
        assert bar.y >= 0
        assert bar.y + bar.height == pytest.approx(made.floor)
        assert made.floor < HEIGHT


@pytest.mark.parametrize("days", [0, 1, 28, 366])
def test_names_below_the_bars_do_not_crowd(days: int) -> None:
    """At most ten, however many bars there are."""
    made = chart([(1, 1)] * days, [str(day) for day in range(days)])
    assert len(made.names) == min(days, len(made.names)) <= 10


@given(st.integers(0, 10**7))
def test_axes_end_at_round_numbers(highest: int) -> None:
    """Not below the highest bar, not far above it, and with whole quarters."""
    top = ceiling(highest)
    assert highest <= top <= max(4, 2 * highest)
    assert top % 4 == 0


def test_the_terminal_shows_text_as_text() -> None:
    """Square brackets in a label are no markup there either."""
    console = Console(width=200, record=True, file=io.StringIO())
    show(evil(), console)
    # The draft, two queues (the first in the headline as well), an address and a label.
    assert console.export_text().count("[bold]") == 6


def test_the_terminal_is_brief_where_nothing_changes() -> None:
    """The headline and what was looked at, no tables."""
    console = Console(width=200, record=True, file=io.StringIO())
    show(plan(trial(ACTIVE)), console)
    assert console.export_text().count("\n") == 2

"""The board is read in the order people want, and by any part of what people are called."""

from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.scorer.board.reading import cards, keeper
from tests.scorer.identity.people import Town, seen

pytestmark = pytest.mark.asyncio

ADA = {"name": "Ada Lovelace", "company": "Analytical Engines"}


async def addresses(engine: AsyncEngine, text: str, **wish: Any) -> list[str]:
    return [card.email for card in await cards(engine, text=text, **wish)]


async def test_the_best_of_a_stage_come_first(board_town: Town) -> None:
    """By score, of one stage or of all, as many as asked for."""
    await board_town.count(
        *(seen(n, user_id=f"u{n % 5}", email=f"u{n % 5}@a.example", name="email.clicked") for n in range(5)),
        *(seen(10 + n, user_id=f"u{n}", name="form.submitted") for n in range(2)),
        seen(20, user_id="u1", name="email.clicked"),
    )
    await keeper(board_town).turn()
    found = await cards(board_town.engine)
    assert [card.score for card in found] == sorted((card.score for card in found), reverse=True)
    assert [card.email for card in await cards(board_town.engine, stage="mql")] == [
        "u1@a.example",
        "u0@a.example",
    ]
    assert len(await cards(board_town.engine, 1, stage="lead")) == 1


async def test_a_part_of_a_name_company_address_or_id_is_found(board_town: Town) -> None:
    """In any case and spelling; signs are signs; one or two letters start a word."""
    await board_town.count(
        seen(1, user_id="user-17", email="ada@engines.example", traits=ADA),
        seen(
            2,
            user_id="u2",
            email="juergen@boats.example",
            traits={"name": "J\u00fcrgen Gro\u00df", "company": "50%_B"},
        ),
        seen(3, user_id="u3", email="cy@boats.example", traits={"name": "Cy"}),
    )
    await keeper(board_town).turn()
    engine = board_town.engine
    ada, juergen, cy = "ada@engines.example", "juergen@boats.example", "cy@boats.example"
    for text, expected in {
        "LOVE": [ada],
        "a love": [ada],
        "analytical": [ada],
        "ser-17": [ada],
        "j\u00dcrg": [juergen],
        "Ju\u0308rgen": [juergen],
        "gross": [juergen],
        "0%_b": [juergen],
        "%": [],
        "_": [],
        "cy": [cy],
        "c": [cy],
        "n": [],
        "boats.": [cy, juergen],
        "@": [],
        "nobody": [],
        " ": [ada, cy, juergen],
    }.items():
        assert sorted(await addresses(engine, text)) == expected, text
    assert await addresses(engine, "boats", stage="mql") == []
    assert len(await addresses(engine, "boats", stage="lead")) == 2
    assert len(await addresses(engine, "boats", most=1)) == 1


async def test_what_is_not_at_the_top_is_found_by_its_grams_or_further_down(
    board_town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However far down it stands."""
    monkeypatch.setattr("shared.leads.board._AT_THE_TOP", 1)
    await board_town.count(
        *(seen(n, user_id=f"u{n}", email=f"u{n}@a.example", name="form.submitted") for n in range(4)),
        seen(9, user_id="low", email="low@rare.example", traits={"name": "Zed"}),
    )
    await keeper(board_town).turn()
    for few in (100, 1):  # then more than few have it, as far as anybody knows
        monkeypatch.setattr("shared.leads.board._FEW", few)
        for text in ("rare", "low@", "ze", "z"):
            assert await addresses(board_town.engine, text) == ["low@rare.example"], text
        assert await addresses(board_town.engine, "low@", stage="lead") == ["low@rare.example"]
        assert await addresses(board_town.engine, "low@", stage="mql") == []
        assert await addresses(board_town.engine, "wol@") == []
        assert len(await addresses(board_town.engine, "example", most=3)) == 3

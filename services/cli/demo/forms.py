"""People who visited lately → the forms they fill in now.

In: rows in time order, who is who, the run. Out: `Submit`s as a browser would post them.
Refuses to back-date: a form post carries no time, so only visitors of the last three weeks fill one in.

A few posts are of machines that fill every field, the hidden one too: those must end in quarantine.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from services.cli.demo.calls import BROWSERS, SHOP, Run, anonymous_id
from services.cli.demo.people import Shopper, dice
from services.cli.demo.rows import Row

FORMS: Final = ("newsletter", "contact", "demo-request")

_LATELY: Final = timedelta(days=21)
_CHANCES: Final[Mapping[str, float]] = {"newsletter": 0.35, "contact": 0.15, "demo-request": 0.2}
_MACHINES: Final = 3
_HONEYPOT: Final = "website_url"


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit:
    """One form, filled in."""

    form: str
    fields: Mapping[str, str]
    user_agent: str


def submits(rows: Sequence[Row], people: Mapping[str, Shopper], run: Run, seed: int) -> list[Submit]:
    """Every form post of a run, in the order of the last visits."""
    if not rows:
        return []
    last = {row.visitor: row for row in rows if row.at >= rows[-1].at - _LATELY}
    made = [
        submit
        for row in last.values()
        if row.visitor in people
        for submit in _of(row, people[row.visitor], run, seed)
    ]
    return [*made, *(_machine(number, run) for number in range(min(_MACHINES, len(made))))]


def _of(row: Row, person: Shopper, run: Run, seed: int) -> Iterator[Submit]:
    chance = dice(seed, row.visitor, "forms")
    for form in FORMS:
        if chance.random() < _CHANCES[form]:
            fields = {**_fields(person, form), **_hidden(form, row.visitor, run)}
            yield Submit(form=form, fields=fields, user_agent=BROWSERS[row.platform])


def _fields(person: Shopper, form: str) -> dict[str, str]:
    """What the visitor types; a newsletter asks for nothing but the address."""
    if form == "newsletter":
        return {"email": person.email}
    typed = {
        name: str(person.traits[name])
        for name in ("email", "name", "company", "title")
        if name in person.traits
    }
    return {**typed, "message": "Please call me back."}


def _hidden(form: str, visitor: str, run: Run) -> dict[str, str]:
    return {
        "anonymous_id": anonymous_id(visitor),
        "_id": f"demo-{run.id}-{visitor}-{form}",
        "page_url": f"{SHOP}/{form}",
        _HONEYPOT: "",
    }


def _machine(number: int, run: Run) -> Submit:
    email = f"offer{number}@bulk.example"
    typed = {
        "email": email,
        "name": "Best Offer",
        "message": "Best offer",
        _HONEYPOT: "https://bulk.example/",
    }
    fields = {**typed, "_id": f"demo-{run.id}-machine-{number}"}
    return Submit(form="contact", fields=fields, user_agent=BROWSERS["desktop"])

"""Who a visitor might be: invented, and the same in every run.

In: a seed, a visitor's rows. Out: a `Shopper` for the visitors who make themselves known, about 45 %.
Refuses real addresses: every domain ends in `.example`, which RFC 2606 keeps free of owners.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Final

from services.cli.demo.rows import Row

# Who pays leaves an address nearly always; who only looks at the account page rarely does.
_TELLS: Final = (("purchase", 0.72), ("account_page", 0.26))

_FIRST: Final = (
    *("Ada", "Amir", "Anna", "Bruno", "Carla", "Chen", "Clara", "David", "Elif", "Emma", "Felix", "Fatima"),
    *("Grace", "Hanna", "Ivan", "Jonas", "Julia", "Kofi", "Lena", "Luca", "Maria", "Mehmet", "Mia", "Nina"),
    *("Noah", "Olga", "Paul", "Priya", "Rosa", "Samir", "Sofia", "Tariq", "Tom", "Vera", "Yuki", "Zoe"),
)
_LAST: Final = (
    *("Adler", "Bauer", "Becker", "Brandt", "Costa", "Demir", "Fischer", "Fuchs", "Haas", "Hoffmann", "Ito"),
    *("Jansen", "Keller", "Klein", "Kowalski", "Lang", "Lindner", "Mensah", "Moreau", "Novak", "Okafor"),
    *("Petrov", "Richter", "Rossi", "Sato", "Schmidt", "Silva", "Vogel", "Weber", "Yilmaz", "Ziegler"),
)
_TITLES: Final = (
    *("Head of Purchasing", "Purchasing Manager", "Marketing Manager", "Head of Marketing", "CEO", "CTO"),
    *("Office Manager", "Sales Manager", "Operations Manager", "Software Engineer", "Analyst", "Student"),
)
_COMPANIES: Final = (
    *("Alpenwerk", "Bergmann Logistics", "Blauhafen", "Cobalt Systems", "Delta Medical", "Eichenhof"),
    *("Fjord Software", "Grünfeld Foods", "Hanse Textil", "Isar Robotics", "Kastell Bau", "Lumen Energy"),
    *("Marktplatz Media", "Nordlicht Analytics", "Orbit Cloud", "Pinnacle Parts", "Quellwasser", "Rheinpark"),
)
_INDUSTRIES: Final = (
    *("software", "manufacturing", "logistics", "retail", "healthcare", "media"),
    *("construction", "energy", "food"),
)
_EMPLOYEES: Final = (8, 25, 60, 140, 320, 900, 2400)
_FREE_MAIL_SHARE: Final = 0.35
_ASCII: Final = str.maketrans({" ": "-", "ü": "ue"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Shopper:
    """A visitor who made themselves known.

    known_at:  number of the row from which on the shop knows them
    traits:    what an identify call tells: email, name, company, title …
    machine:   their mail program opens every mail by itself
    """

    visitor: str
    known_at: int
    email: str
    traits: Mapping[str, object]
    machine: bool


def people(rows: Iterable[Row], seed: int) -> dict[str, Shopper]:
    """Visitor → person, for those who become known in these rows."""
    told: dict[str, tuple[float, int]] = {}
    chances = dict(_TELLS)
    for row in rows:
        chance = chances.get(row.act, 0.0)
        if chance > told.get(row.visitor, (0.0, 0))[0]:
            told[row.visitor] = (chance, row.number)
    return {
        visitor: _person(visitor, number, seed)
        for visitor, (chance, number) in told.items()
        if dice(seed, visitor, "known").random() < chance
    }


def dice(seed: int, *about: object) -> Random:
    """A generator that depends on its arguments alone: more rows or other order change nobody else."""
    return Random(":".join(map(str, (seed, *about))))  # noqa: S311 - invents people, guards nothing


def _person(visitor: str, known_at: int, seed: int) -> Shopper:
    chance = dice(seed, visitor, "person")
    first, last = chance.choice(_FIRST), chance.choice(_LAST)
    company = chance.choice(_COMPANIES)
    private = chance.random() < _FREE_MAIL_SHARE
    domain = "freemail.example" if private else f"{company.lower().translate(_ASCII)}.example"
    # The number keeps two Annas apart.
    email = f"{first}.{last}.{visitor.removeprefix('user_')}@{domain}".lower()
    work = {
        "company": company,
        "title": chance.choice(_TITLES),
        "industry": chance.choice(_INDUSTRIES),
        "employees": chance.choice(_EMPLOYEES),
    }
    traits = {
        "email": email,
        "name": f"{first} {last}",
        "country": chance.choice(("DE", "DE", "AT", "CH", "FR")),
    }
    return Shopper(
        visitor=visitor,
        known_at=known_at,
        email=email,
        traits=traits if private else {**traits, **work},
        machine=chance.random() < 0.3,
    )

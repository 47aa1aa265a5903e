"""What people call a lead by, and how it is found by a part of that (pure).

In: a lead's counted events, or what somebody types. Out: `Names`; the text that is searched, and its grams.
Refuses to guess: what no event said is empty.

A gram is a number for three characters in a row, or for the first one or two of a word. A text contains what
somebody types only if it has all grams of that; whether it does is then looked at. This is what the extension
pg_trgm does, made here, because not everybody may create extensions.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from unicodedata import normalize
from urllib.parse import urlsplit
from zlib import crc32

from shared.events import Event
from shared.leads.portrait import Portrait, portrait

_WORD: Final = re.compile(r"\w+")
_LONGEST: Final = 200
_NAME_TRAITS: Final = frozenset({"name", "first_name", "firstName", "last_name", "lastName"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Who somebody is and where they came from, in a word each; empty where nobody said.

    first_source: what brought them first: a campaign's source, else the site that led here, else the source
                  of their first event; last_source: what brought them last
    ids:          every id that systems know them by, or did: searched, not shown
    """

    email: str = ""
    name: str = ""
    company: str = ""
    first_source: str = ""
    last_source: str = ""
    ids: tuple[str, ...] = ()


def names(history: Sequence[Event]) -> Names:
    """The names that this history gives."""
    if not history:
        return Names()
    seen = portrait(history)
    traits, first = seen.person["traits"], history[0].source
    return Names(
        email=_text(seen.person.get("email") or traits.get("email")),
        name=full_name(traits),
        company=_text(traits.get("company")),
        first_source=_touch(seen, "first") or first,
        last_source=_touch(seen, "last") or first,
        ids=_ids(history),
    )


def full_name(traits: Mapping[str, Any]) -> str:
    """The name somebody gave, or its parts together."""
    if whole := _text(traits.get("name")):
        return whole
    first = traits.get("first_name") or traits.get("firstName")
    last = traits.get("last_name") or traits.get("lastName")
    return " ".join(part for part in (_text(first), _text(last)) if part)


def said(events: Iterable[Event]) -> set[tuple[str, str]]:
    """What these events say about names, as (field, value); `touch` where one may change a source.

    For each event that counts, so written to be quick.
    """
    news: set[tuple[str, str]] = set()
    for event in events:
        if event.user_id:
            news.add(("id", event.user_id))
        if event.email:
            news.add(("email", event.email))
        if event.account_id:
            news.add(("id", event.account_id))
        if event.traits:
            _said_by_traits(event.traits, news, email=bool(event.email))
        context = event.context
        if "campaign" in context or "referrer" in context or "click_ids" in context:
            news.add(("touch", ""))
    return news


def _said_by_traits(traits: Mapping[str, Any], news: set[tuple[str, str]], *, email: bool) -> None:
    if not email and "email" in traits:
        news.add(("email", _text(traits["email"])))
    if not _NAME_TRAITS.isdisjoint(traits):  # also one that is no text: it takes the place of one that was
        news.add(("name", full_name(traits)))
    if "company" in traits:
        news.add(("company", _text(traits["company"])))


def known_by(found: Names, news: Iterable[tuple[str, str]]) -> bool:
    """Whether a lead with these names has all that is said: then its history need not be asked."""
    has = {("email", found.email), ("name", found.name), ("company", found.company)}
    return has.union(("id", one) for one in found.ids).issuperset(news)


def searched(found: Names) -> str:
    """The text in which a lead with these names is searched."""
    return normal("\n".join(filter(None, (found.email, found.name, found.company, *found.ids))))


def normal(text: str) -> str:
    """The same text however it is spelled: case, composed letters, spaces."""
    return normalize("NFKC", text).casefold().strip()


def grams(text: str) -> list[int]:
    """All grams of a normal text, sorted."""
    found = {text[at : at + 3] for at in range(len(text) - 2)}
    for word in _WORD.finditer(text):
        start = word.group()
        found |= {f"^{start[:1]}", f"^{start[:2]}"}
    return sorted(map(_number, found))


def wanted(text: str) -> list[int]:
    """The grams that a text must have to contain this one; up to two characters start a word."""
    if len(text) < 3:
        return [_number(f"^{text}")]
    return sorted({_number(text[at : at + 3]) for at in range(len(text) - 2)})


def _number(gram: str) -> int:
    # Signed 32 bits, as Postgres has them.
    return crc32(gram.encode("utf-8", "replace")) - (1 << 31)


def _touch(seen: Portrait, which: str) -> str:
    touch: Mapping[str, Any] = seen.attribution.get(which, {})
    campaign, referrer = touch.get("campaign"), touch.get("referrer")
    if isinstance(campaign, dict) and campaign.get("source"):
        return _text(campaign["source"])
    url = referrer.get("url") if isinstance(referrer, dict) else None
    try:
        return _text(urlsplit(url).hostname) if isinstance(url, str) else ""
    except ValueError:
        return ""


def _ids(history: Sequence[Event]) -> tuple[str, ...]:
    """Every id that was said, also one that another has replaced since: somebody may still search it."""
    said = {one for event in history for one in (event.user_id, event.account_id) if one}
    return tuple(sorted(filter(None, map(_text, said))))


def _text(value: Any) -> str:
    """A value as a line of text; what is no text or number is none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    whole = str(value).encode("utf-8", "replace").decode()  # no half characters, which Postgres refuses
    return " ".join(whole.replace("\0", "").split())[:_LONGEST]

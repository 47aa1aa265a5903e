"""Contributions in the words of a person, in English and German.

In: a `Contribution`, a language, now. Out: one sentence, such as
"Pricing page visited 3 times, last 2 days ago: +12".
Refuses to round: the points are those of the contribution, which add up to the score.

A label may say where the count belongs: `{times}` becomes "3 times", or 3 with a
multiplication sign in German. Without it the count follows the label. Behind it stands how many events were
paid, if not all: "5 times (3 counted)"; "(3 different counted)" where a limit pays each thing for itself.
"""

from datetime import UTC, datetime
from typing import Final, Literal

from shared.scoring.engine.contributions import Contribution

Language = Literal["en", "de"]

_LIMITS: Final = {
    "en": {
        "group_limit": "Limit of the group “{label}”",
        "dimension_limit": "Limit of “{label}”",
        "score_limit": "The score stays between 0 and 100",
    },
    "de": {
        "group_limit": "Grenze der Gruppe „{label}“",
        "dimension_limit": "Grenze von „{label}“",
        "score_limit": "Der Score bleibt zwischen 0 und 100",
    },
}
_CONSENT: Final = {
    "en": {
        "consent": "Not counted: {count} without consent for “{purpose}”",
        "objection": "Objected {when}: nothing is counted",
        "objection withdrawn": "Objection withdrawn {when}: nothing before that is counted",
    },
    "de": {
        "consent": "Nicht gezählt: {count} ohne Einwilligung für „{purpose}“",
        "objection": "Widersprochen {when}: nichts wird gezählt",
        "objection withdrawn": "Widerspruch zurückgenommen {when}: nichts davor wird gezählt",
    },
}
_EVENTS: Final = {"en": ("event", "events"), "de": ("Ereignis", "Ereignisse")}
_PAID: Final = {"en": ("counted", "different"), "de": ("gezählt", "verschiedene")}
_MINUS: Final = "\N{MINUS SIGN}"
_TIMES: Final = "\N{MULTIPLICATION SIGN}"
_MINUTE_S: Final = 60
_HOUR_S: Final = 3600


def sentence(contribution: Contribution, language: Language, now: datetime) -> str:
    """One line of the receipt.

    now:  when it is read; says how long ago the last event was
    """
    if contribution.kind in {"consent", "objection"}:
        return _about_consent(contribution, language, now)
    limit = _LIMITS[language].get(contribution.kind)
    if limit:
        words = limit.format(label=contribution.label[language])
    else:
        words = _counted(contribution, language) + _last(contribution, language, now)
    return f"{words}: {signed(contribution.points)}"


def _about_consent(contribution: Contribution, language: Language, now: datetime) -> str:
    """What consent left out; it has no points to tell."""
    template = _CONSENT[language]["consent" if contribution.kind == "consent" else contribution.rule]
    words = template.format(
        count=f"{contribution.count} {_EVENTS[language][contribution.count != 1]}",
        purpose=contribution.label[language],
        when=ago(contribution.last_at, language, now) if contribution.last_at else "",
    )
    return words + _last(contribution, language, now) if contribution.kind == "consent" else words


def signed(points: int) -> str:
    """Points with their sign; the minus is the typographic one, as wide as the plus."""
    return f"{_MINUS}{-points}" if points < 0 else f"+{points}"


def ago(moment: datetime, language: Language, now: datetime) -> str:
    """How long ago this was: minutes and hours within a day, else calendar days (UTC)."""
    passed_s = (now - moment).total_seconds()
    days = (now.astimezone(UTC).date() - moment.astimezone(UTC).date()).days
    if passed_s < _MINUTE_S:
        return {"en": "just now", "de": "gerade eben"}[language]
    if passed_s < _HOUR_S:
        return _many(int(passed_s // _MINUTE_S), language, ("minute", "Minute", "Minuten"))
    if days == 0 or passed_s < 12 * _HOUR_S:
        return _many(int(passed_s // _HOUR_S), language, ("hour", "Stunde", "Stunden"))
    if days == 1:
        return {"en": "yesterday", "de": "gestern"}[language]
    return _many(days, language, ("day", "Tag", "Tagen"))


def _many(count: int, language: Language, words: tuple[str, str, str]) -> str:
    if language == "de":
        return f"vor {count} {words[1] if count == 1 else words[2]}"
    return f"{count} {words[0]}{'' if count == 1 else 's'} ago"


def _counted(contribution: Contribution, language: Language) -> str:
    """The label with the number of events, and how many of them counted where a limit cut some off."""
    label = contribution.label[language]
    if contribution.count <= 1:
        return " ".join(label.replace("{times}", "").split())
    times = f"{contribution.count}{_TIMES}" if language == "de" else f"{contribution.count} times"
    if counted := _paid(contribution, language):
        times += f" ({counted})"
    return label.replace("{times}", times) if "{times}" in label else f"{label}, {times}"


def _paid(contribution: Contribution, language: Language) -> str:
    """How many of the events were paid, and of how many different things, where that is not plain."""
    paid, things = contribution.paid, contribution.things
    counted, different = _PAID[language]
    if 1 < things == paid < contribution.count:
        return f"{paid} {different} {counted}"
    said = [f"{paid} {counted}"] if paid < contribution.count else []
    if 1 < things < paid:
        said.append(f"{things} {different}")
    return ", ".join(said)


def _last(contribution: Contribution, language: Language, now: datetime) -> str:
    if contribution.last_at is None:
        return ""
    last = {"en": "last ", "de": "zuletzt "}[language] if contribution.count > 1 else ""
    return f", {last}{ago(contribution.last_at, language, now)}"

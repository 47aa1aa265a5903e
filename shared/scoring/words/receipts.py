"""Contributions in the words of a person, in English and German.

In: a `Contribution`, a language, now. Out: one sentence, such as
"Pricing page visited 3 times, last 2 days ago: +12".
Refuses to round: the points are those of the contribution, which add up to the score.

A label may say where the count belongs: `{times}` becomes "3 times", or 3 with a
multiplication sign in German. Without it the count follows the label.
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
_MINUS: Final = "\N{MINUS SIGN}"
_TIMES: Final = "\N{MULTIPLICATION SIGN}"
_MINUTE_S: Final = 60
_HOUR_S: Final = 3600


def sentence(contribution: Contribution, language: Language, now: datetime) -> str:
    """One line of the receipt.

    now:  when it is read; says how long ago the last event was
    """
    limit = _LIMITS[language].get(contribution.kind)
    if limit:
        words = limit.format(label=contribution.label[language])
    else:
        words = _counted(contribution, language) + _last(contribution, language, now)
    return f"{words}: {signed(contribution.points)}"


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
    if contribution.paid < contribution.count:
        times += f" ({contribution.paid} {'gezählt' if language == 'de' else 'counted'})"
    return label.replace("{times}", times) if "{times}" in label else f"{label}, {times}"


def _last(contribution: Contribution, language: Language, now: datetime) -> str:
    if contribution.last_at is None:
        return ""
    last = {"en": "last ", "de": "zuletzt "}[language] if contribution.count > 1 else ""
    return f", {last}{ago(contribution.last_at, language, now)}"

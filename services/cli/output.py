"""How the commands print what they found: JSON for programs, moments and stored bytes for people.

In: values. Out: text on the screen.
"""

import json
from datetime import datetime
from typing import Any

import typer


def print_json(value: Any) -> None:
    """One JSON value; what JSON has no form for is text, moments in ISO 8601."""
    typer.echo(json.dumps(value, default=_plain, ensure_ascii=False, indent=2))


def when(at: datetime) -> str:
    """A moment for a person."""
    return at.strftime("%Y-%m-%d %H:%M")


def age(now: datetime, at: datetime) -> str:
    """How long ago, for a person."""
    minutes = max(0, round((now - at).total_seconds() / 60))
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} d"


def text_of(data: bytes) -> str | None:
    """These bytes as text that a terminal may be given; None if they are none."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return "".join(each if each.isprintable() or each in "\n\t" else f"\\x{ord(each):02x}" for each in text)


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)

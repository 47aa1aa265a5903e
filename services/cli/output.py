"""How the commands print what they found: JSON for programs, moments for people.

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


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)

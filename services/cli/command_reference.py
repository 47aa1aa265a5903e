"""docs/reference/commands.md, written from the commands themselves.

In: `COMMANDS`, and of each its arguments, options and help as typer has them. Out: Markdown.
Refuses to drift: tests/test_docs.py compares the text with the committed file, `make reference` renews.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import typer

from services.cli.__main__ import COMMANDS, application

FILE: Final = Path(__file__).resolve().parents[2] / "docs" / "reference" / "commands.md"
_HEAD: Final = """\
# Commands
Every command of `leadscore`, with all it takes. Written by `make reference` from the commands themselves; a
test compares them. `leadscore COMMAND --help` says the same at the terminal.

In a checkout it is `.venv/bin/leadscore`; a wheel and the image `cli` bring it along. Where the environment
names no Kafka and no Postgres, a command takes those of `leadscore up` on this machine. The exit code is 0 if
all is well, 2 when something is configured or called wrongly, 1 for all else (`model diff`: 1: they differ).

"""
_VALUES: Final[dict[Any, str]] = {int: "NUMBER", float: "NUMBER", Path: "FILE"}
# Defaults that are not the same everywhere; what they are by stands in the help.
_OF_THE_MACHINE: Final = ("workers",)
# Where each is explained with an example; a command without an entry says all in its own lines.
_GUIDES: Final = {
    "lead conflicts": "identity",
    "lead merge": "identity",
    "lead unmerge": "identity",
    "lead split-device": "identity",
    "lead release": "identity",
    "lead list": "lists",
    "lead find": "lists",
    "lead show": "first-lead",
    "events": "checking-and-correcting",
    "dead-letters": "checking-and-correcting",
    "reconcile": "checking-and-correcting",
    "import": "history",
    "replay": "history",
    "account show": "accounts",
    "model check": "checking-a-model",
    "model test": "scoring-model",
    "model diff": "plan-a-change",
    "model plan": "plan-a-change",
    "model publish": "plan-a-change",
    "model revert": "plan-a-change",
    "model backtest": "backtest",
    "person object": "consent",
    "config": "production",
    "migrate": "production",
    "topics": "production",
    "up": "first-lead",
    "demo": "first-lead",
    "wipe": "first-lead",
}


def commands_text() -> str:
    """The page as it should be."""
    names = sorted(COMMANDS)
    rows = [f"| [`leadscore {name}`](#leadscore-{_anchor(name)}) | {COMMANDS[name][1]} |\n" for name in names]
    table = "| command | does |\n|---|---|\n" + "".join(rows)
    return _HEAD + table + "".join(_section(name) for name in names)


def _section(name: str) -> str:
    """One command: usage, what it does, what it takes."""
    parameters = _parameters(name)
    arguments = [f" {_placeholder(each)}" for each in parameters if each.param_type_name == "argument"]
    options = " [OPTIONS]" if any(each.param_type_name == "option" for each in parameters) else ""
    lines = [
        f"\n## leadscore {name}\n",
        f"```text\nleadscore {name}{''.join(arguments)}{options}\n```\n",
        f"{COMMANDS[name][1]}{_guide(name)}\n",
    ]
    if parameters:
        lines += ["\n| takes | which is |\n|---|---|\n", *(_row(each) for each in parameters)]
    return "".join(lines)


def _parameters(name: str) -> list[Any]:
    """Arguments and options of a command as typer knows them, but for --help."""
    command: Any = typer.main.get_command(application(COMMANDS, name.split()))
    for word in name.split():
        command = command.commands[word]
    return [each for each in command.params if each.name != "help" and not each.hidden]


def _row(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        shown = _placeholder(parameter)
    else:
        takes = "" if parameter.is_flag else f" {_VALUES.get(parameter.type_descriptor.annotation, 'TEXT')}"
        shown = ", ".join([*parameter.opts, *parameter.secondary_opts]) + takes
    return f"| `{shown.replace('|', '/')}` | {' '.join(_sayings(parameter))} |\n"


def _sayings(parameter: Any) -> Iterator[str]:
    """What it is, and what it is if nothing is said."""
    yield (parameter.help or "").replace("|", "\\|")
    if parameter.required and parameter.param_type_name == "option":
        yield "Required."
    default = parameter.default
    said = default not in (None, False, "", (), []) and not callable(default) and not parameter.required
    if said and parameter.name not in _OF_THE_MACHINE:
        yield f"Default: `{default}`."


def _placeholder(parameter: Any) -> str:
    text = str(parameter.name).upper() + ("…" if parameter.nargs == -1 else "")
    return text if parameter.required else f"[{text}]"


def _guide(name: str) -> str:
    guide = _GUIDES.get(name) or _GUIDES.get(name.partition(" ")[0])
    return f" See [the guide](../guides/{guide}.md)." if guide else ""


def _anchor(name: str) -> str:
    return name.replace(" ", "-")

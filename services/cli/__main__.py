"""The `leadscore` command.

In: argv. Out: one of the commands below, each in a module of its own that is imported only when it runs.
What a command raises on purpose becomes one message and an exit code.

Outside `up`, what the environment leaves open comes from the data folder: a second terminal knows the keys
and addresses of the installation that runs in the first.
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Final

import typer

from services.cli.installation import Installation
from shared.errors import LeadscoreError, Misconfigured

# Two words: a command of a group. A new command is one line here.
COMMANDS: Final = {
    "up": ("services.cli.up:up", "Start everything on this machine; Ctrl-C stops it."),
    "demo": ("services.cli.demo.command:demo", "Send shop traffic and show what became of it."),
    "lead show": ("services.cli.lead.show:show", "Show one lead: score, stage, receipts, timeline."),
    "lead list": ("services.cli.lead.list:list_", "List the best leads, of a stage or with a text."),
    "lead find": ("services.cli.lead.find:find", "List leads by a part of a name, company, address or id."),
    "lead conflicts": (
        "services.cli.lead.conflicts:conflicts",
        "List who shares an identifier and is two.",
    ),
    "lead merge": ("services.cli.lead.decide:merge", "Make two leads one person."),
    "lead unmerge": ("services.cli.lead.decide:unmerge", "Take a person out of a lead again."),
    "lead split-device": ("services.cli.lead.decide:split_device", "Have a device serve nobody."),
    "lead release": ("services.cli.lead.decide:release", "Believe a suspended identifier or shared device."),
    "events list": (
        "services.cli.events.show:events",
        "List a lead's events, or nobody's; what counts and what not.",
    ),
    "events quarantine": ("services.cli.events.decide:quarantine", "Have an event not count."),
    "events release": ("services.cli.events.decide:release", "Have a quarantined event count."),
    "dead-letters list": (
        "services.cli.dead_letters.show:letters",
        "List records that the scorer could not process.",
    ),
    "dead-letters show": ("services.cli.dead_letters.show:letter", "Show one dead letter with its bytes."),
    "dead-letters retry": (
        "services.cli.dead_letters.retry:retry",
        "Send dead letters through the scorer again.",
    ),
    "deliveries list": (
        "services.cli.deliveries.show:deliveries",
        "List deliveries that wait or were given up.",
    ),
    "deliveries show": ("services.cli.deliveries.show:delivery", "Show one delivery with its body."),
    "deliveries retry": ("services.cli.deliveries.retry:retry", "Send deliveries again that were given up."),
    "destinations list": (
        "services.cli.deliveries.destinations:destinations",
        "List destinations that failed or have something to do.",
    ),
    "destinations enable": ("services.cli.deliveries.destinations:enable", "Send to a disabled one again."),
    "destinations give-up": (
        "services.cli.deliveries.destinations:give_up",
        "Never send what waits for a destination.",
    ),
    "keys new": ("services.cli.keys.new:new", "Make a new secret, and say how it replaces the old one."),
    "keys rotate-identity": (
        "services.cli.keys.rotate:rotate_identity",
        "Hash all stored identifiers with the new identity key.",
    ),
    "import": ("services.cli.imports.command:import_", "Import history from a file of events."),
    "replay": (
        "services.cli.replay.command:replay",
        "Score leads anew from their stored events; say what differs.",
    ),
    "reconcile": ("services.cli.reconcile.command:reconcile", "Check the promises on the live database."),
    "account show": ("services.cli.account.show:show", "Show one account: score, stage, people."),
    "model test": ("services.cli.model.try_situations:try_situations", "Try a model on its situations."),
    "model check": ("services.cli.model.check:check", "Check scoring models: every mistake with its line."),
    "model diff": ("services.cli.model.diff:diff", "Say in words how two models differ."),
    "model plan": ("services.cli.model.plan.command:plan", "Show what publishing a draft would do."),
    "model draft": ("services.cli.model.publish:draft", "Store a model as a draft."),
    "model shadow": ("services.cli.model.shadow:shadow", "Score with a second version beside; compare."),
    "model publish": ("services.cli.model.publish:publish", "Make a model the one that scores."),
    "model revert": ("services.cli.model.publish:revert", "Bring the version before back."),
    "model history": ("services.cli.model.history:history", "List what was done with every version."),
    "model explain": ("services.cli.model.explain:explain", "Show why a lead has, or had, this score."),
    "person object": (
        "services.cli.person.objection:object_",
        "Stop scoring a person who objects, or begin again.",
    ),
    "migrate": ("services.cli.migrate:migrate", "Bring the database to the newest revision."),
    "model backtest": (
        "services.cli.model.backtest.command:backtest",
        "Say how well the score, as it was then, found the leads that converted.",
    ),
    "retention": ("services.cli.retention:retention", "Show what is kept for how long; apply it now."),
    "config": ("services.cli.config:config", "Write configuration to begin with into a folder of yours."),
    "topics": ("services.cli.topics:topics", "Create the Kafka topics that are missing; tell which differ."),
    "wipe": ("services.cli.wipe:wipe", "Delete all data on this machine, after asking."),
}
_GROUPS: Final = {
    "lead": "One person, as the scorer sees them.",
    "person": "What somebody demands who is scored.",
    "events": "Stored events: which count, and why others do not.",
    "dead-letters": "Records that the scorer could not process.",
    "deliveries": "What the router tells others: what waits, what was given up.",
    "destinations": "Whom the router tells: which fail or are disabled.",
    "keys": "Secrets, and how they are changed.",
    "account": "The people of one company, as the scorer sees them.",
    "model": "Check a scoring model, try it on history, publish it, take it back.",
}
# These make the data folder, or unmake it: what is written there must not look like the user's own wish.
_OWNERS: Final = ("up", "wipe")


def main() -> int:
    """Run the command that argv names; 2 for wrong configuration, 1 for other trouble."""
    argv = sys.argv[1:]
    if argv and argv[0] not in _OWNERS:
        for name, value in _known().items():
            os.environ[name] = os.environ.get(name) or value
    try:
        application(COMMANDS, argv)(argv)
    except LeadscoreError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, Misconfigured) else 1
    return 0


def _known() -> dict[str, str]:
    """What `leadscore up` noted here; a command that needs none of it goes on without."""
    try:
        return Installation.of(os.environ).known()
    except Misconfigured as error:
        print(error, file=sys.stderr)
        return {}


def application(commands: Mapping[str, tuple[str, str]], argv: Sequence[str]) -> typer.Typer:
    """The commands as typer knows them; only the one that `argv` means is imported."""
    root = typer.Typer(
        name="leadscore",
        help="Lead scoring that explains itself.",
        no_args_is_help=True,
        add_completion=False,
    )
    groups: dict[str, typer.Typer] = {}
    for words, (where, explained) in commands.items():
        *group, name = words.split()
        parent = root
        if group:
            parent = groups.setdefault(group[0], typer.Typer(no_args_is_help=True))
        meant = list(argv[: len(group) + 1]) == words.split()
        parent.command(name, help=explained)(_load(where) if meant else _not_meant)
    for name, group_app in groups.items():
        root.add_typer(group_app, name=name, help=_GROUPS[name])
    # With a single command typer would make it the program itself.
    root.callback()(_nothing)
    return root


def _load(where: str) -> Callable[..., None]:
    module, _, function = where.partition(":")
    found: Callable[..., None] = getattr(import_module(module), function)
    return found


def _not_meant() -> None:
    """Stands in the list of commands for one that this argv cannot run."""


def _nothing() -> None:
    """Lead scoring that explains itself."""


if __name__ == "__main__":
    sys.exit(main())

"""The plan on a terminal: the page in short.

In: a `Plan`, a console. Out: lines and tables. Refuses to read what a sender or a model wrote as markup.
"""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from services.cli.model.plan.findings import (
    STAGE_WORDS,
    Load,
    Plan,
    bins,
    counted,
    headline,
    signed,
)
from services.cli.model.plan.tally import Mover

_MOVERS_SHOWN = 10


def show(plan: Plan, console: Console) -> None:
    """Print the plan."""
    console.print(Text(headline(plan), style="bold"))
    console.print(Text(_about(plan)))
    if plan.changes_nothing:
        return
    for table in (_flows(plan), _scores(plan), _load(plan), _movers(plan)):
        if table.row_count:
            console.print()
            console.print(table)


def _about(plan: Plan) -> str:
    compared = plan.compared
    return (
        f"{compared.draft} against {compared.active}; {counted(plan.leads, 'known lead')}, "
        f"{counted(plan.events, 'event')}; {compared.anonymous:,} anonymous visitors have no stage to lose. "
        f"Score higher for {plan.higher:,}, lower for {plan.lower:,}."
    )


def _flows(plan: Plan) -> Table:
    table = Table("From", "To", "Leads", title="On publish, leads move", title_justify="left")
    table.columns[2].justify = "right"
    for flow in plan.flows:
        table.add_row(STAGE_WORDS[flow.before], STAGE_WORDS[flow.after], f"{flow.leads:,}")
    return table


def _scores(plan: Plan) -> Table:
    """The distribution, without bins that nobody is in."""
    table = Table("Score", "Now", "Draft", "Change", title="Leads by score", title_justify="left")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, (before, after) in zip(bins(), plan.scores, strict=True):
        if before or after:
            table.add_row(name, f"{before:,}", f"{after:,}", signed(after - before))
    return table


def _load(plan: Plan) -> Table:
    title = f"Per queue and day, over {plan.compared.days} days; and at once with --route (0 with --silent)"
    heads = ("Queue", "Now", "Draft", "Change", "Worst day", "At once")
    table = Table(*heads, title=title, title_justify="left")
    for column in table.columns[1:]:
        column.justify = "right"
    for load in plan.load:
        table.add_row(*_load_row(load))
    return table


def _load_row(load: Load) -> tuple[Text, ...]:
    before, after = load.average
    cells = (
        f"{before:,.1f}",
        f"{after:,.1f}",
        signed(after - before),
        f"{load.worst[0]:,} → {load.worst[1]:,}",
        f"{load.burst:,}",
    )
    name = f"{load.queue} (off: no address here)" if load.off else load.queue
    return tuple(map(Text, (name, *cells)))


def _movers(plan: Plan) -> Table:
    heads = ("Lead", "Score", "Grade", "Stage", "Most of it")
    table = Table(*heads, title="Who moves most", title_justify="left")
    for mover in plan.movers[:_MOVERS_SHOWN]:
        table.add_row(*map(Text, _mover_row(mover)))
    return table


def _mover_row(mover: Mover) -> tuple[str, ...]:
    stages = [STAGE_WORDS[stage] for stage in mover.stages]
    line = mover.lines[0] if mover.lines else None
    return (
        mover.email or mover.lead,
        f"{mover.scores[0]} → {mover.scores[1]}",
        " → ".join(dict.fromkeys(mover.grades)),
        " → ".join(dict.fromkeys(stages)),
        f"{line.label}: {line.before} → {line.after}" if line else "",
    )

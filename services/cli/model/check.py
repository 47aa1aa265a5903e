"""`leadscore model check [FILE…]`: what is wrong or doubtful with scoring models, and what they amount to.

In: model files. Out: every mistake and warning with file and line, for people or as JSON for programs.
Exit code 0: usable; 1: warnings under `--strict`; 2: mistakes.
Refuses to touch anything: it writes nothing, needs neither database nor Kafka, and prints what stands in a
file as it is, never as markup or as control codes of the terminal.
"""

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from services.scorer.models import model_source
from shared.deployed import shipped
from shared.errors import Misconfigured
from shared.scoring.analysis.reach import most
from shared.scoring.definition.model import Model
from shared.scoring.file.read import read_model
from shared.scoring.lint.lint import lint

DEFAULT: Final = Path("deploy/config/scoring.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One sentence about one line of a file."""

    file: str
    line: int
    severity: Literal["mistake", "warning"]
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was found in one file.

    model: None if the file has mistakes
    """

    file: str
    model: Model | None
    findings: tuple[Finding, ...]


def check(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help=f"Model files; {DEFAULT} if none is named.", show_default=False),
    ] = None,
    *,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if there are warnings.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print findings as JSON for programs.")] = False,
) -> None:
    """Check models; prints every mistake and warning with its line, and changes nothing."""
    checked = [checked_file(file) for file in files or [shipped(DEFAULT)]]
    findings = [finding for each in checked for finding in each.findings]
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for each in checked:
            for line in report(each):
                typer.echo(printable(line))
    raise typer.Exit(_exit_code(findings, strict=strict))


def checked_file(file: Path) -> Checked:
    """Everything there is to say about this file."""
    try:
        found = model_source.gather(file)
        reading = read_model(found.document, lists=found.lists, trouble=found.trouble)
    except Misconfigured as error:
        mistakes = tuple(_finding(str(file), problem, "mistake") for problem in error.problems)
        return Checked(file=str(file), model=None, findings=mistakes)
    warnings = tuple(_finding(str(file), problem, "warning") for problem in lint(reading))
    return Checked(file=str(file), model=reading.model, findings=warnings)


def report(checked: Checked) -> Iterator[str]:
    """What a person reads about one file; each finding begins with file and line, for editors to jump to."""
    if checked.model is None:
        yield f"{checked.file}: {_many(len(checked.findings), 'mistake')}"
    else:
        yield f"{checked.file}: no mistakes, {_many(len(checked.findings), 'warning')}"
        yield from (f"  {line}" for line in summary(checked.model))
    yield from (f"{each.file}:{each.line}: {each.severity}: {each.message}" for each in checked.findings)


def summary(model: Model) -> Iterator[str]:
    """What the model amounts to."""
    yield f"model     {model.name}"
    yield f"rules     {len(model.engagement)} engagement, {len(model.fit)} fit, in {len(model.groups)} groups"
    yield f"stages    {', '.join(stage.name for stage in model.stages)}"
    reach = ", ".join(f"{name} {_points(points)}" for name, points in most(model).items())
    yield f"at most   {reach}"


def printable(text: str) -> str:
    """The text without what would steer a terminal: escape sequences, line ends, marks of direction."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text
    )


def _finding(file: str, problem: str, severity: Literal["mistake", "warning"]) -> Finding:
    """A sentence that begins with this file and a line, in its parts."""
    line, _, message = problem.removeprefix(f"{file}:").partition(": ")
    found = re.fullmatch(r"\d+", line)
    return Finding(
        file=file, line=int(line) if found else 1, severity=severity, message=message if found else problem
    )


def _exit_code(findings: Sequence[Finding], *, strict: bool) -> int:
    severities = {finding.severity for finding in findings}
    if "mistake" in severities:
        return 2
    return 1 if strict and severities else 0


def _many(count: int, what: str) -> str:
    return f"{count or 'no'} {what}" if count == 1 else f"{count or 'no'} {what}s"


def _points(points: float) -> str:
    return "without bounds" if math.isinf(points) else f"{points:g}"

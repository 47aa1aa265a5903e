"""`leadscore model test`: whether a model does what its situations say.

In: a model file, and the situations beside it (`scoring.yaml` → `scoring.situations.yaml`) or any others.
Out: every situation that does not hold, expected against seen, and a summary; exit code 0 if all hold,
1 if some do not, 2 for mistakes in a file. Needs no database and no server.
Refuses to read what stands in files as markup: text is shown as it is.
"""

import difflib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from services.cli.model.which import from_file
from shared.deployed import shipped
from shared.errors import Misconfigured
from shared.scoring.engine.compiled import Compiled
from shared.scoring.situations.check import CheckResult, judge
from shared.scoring.situations.expectations import Difference
from shared.scoring.situations.read import load_situations

_MODEL: Final = Path("deploy/config/scoring.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One file of situations, and what became of them."""

    file: Path
    verdicts: tuple[CheckResult, ...]


def try_situations(
    model: Annotated[Path, typer.Argument(help="The model file.")] = _MODEL,
    *,
    situations: Annotated[
        list[Path] | None,
        typer.Option(help="A file of situations; may be repeated. Without it, the one beside the model."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Try a model on its situations."""
    tried = try_files(from_file(model).model, situations or [beside(model)])
    typer.echo(as_data(tried, model) if as_json else as_text(tried, model))
    if not holds(tried):
        raise typer.Exit(1)


def holds(tried: Sequence[Tried]) -> bool:
    """Whether every situation holds."""
    return all(verdict.holds for each in tried for verdict in each.verdicts)


def beside(model: Path) -> Path:
    """Where the situations of a model file are if nobody says."""
    return shipped(model.with_name(f"{model.stem}.situations.yaml"))


def try_files(model: Compiled, files: Iterable[Path]) -> list[Tried]:
    """Every situation of these files.

    Raises Misconfigured with the mistakes of all of them.
    """
    tried: list[Tried] = []
    problems: list[str] = []
    for file in files:
        try:
            found = load_situations(_text(file), file=str(file), model=model)
        except Misconfigured as error:
            problems += error.problems
        else:
            verdicts = tuple(judge(found.model, situation) for situation in found.situations)
            tried.append(Tried(file=file, verdicts=verdicts))
    if problems:
        count = "a mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
        raise Misconfigured(f"The situations have {count}:", problems)
    return tried


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(
            "The situations cannot be read:",
            [f"{file}: {type(error).__name__}. Write situations there, or name their file by --situations"],
        ) from error


def as_text(tried: Sequence[Tried], model: Path) -> str:
    """What a person reads: each failure with its place, then the summary."""
    lines = [
        line
        for each in tried
        for verdict in each.verdicts
        if not verdict.holds
        for line in _failure(each.file, verdict)
    ]
    return "\n".join(map(_printable, [*lines, _summary(tried, model)]))


def _failure(file: Path, verdict: CheckResult) -> Iterator[str]:
    yield f"{file}:{verdict.situation.line}: {verdict.situation.name}"
    for difference in verdict.differences:
        yield from _difference(difference)
    yield ""


def _difference(difference: Difference) -> Iterator[str]:
    """One line for a single value; for several, a comparison line by line."""
    expected, seen = difference.expected, difference.seen
    if len(expected) <= 1 and len(seen) <= 1:
        yield f"  {difference.what}: expected {_one(expected)}, seen {_one(seen)}"
        return
    yield f"  {difference.what}: - expected, + seen"
    for line in difflib.ndiff(expected, seen):
        if not line.startswith("?"):
            yield f"    {line}"


def _one(lines: Sequence[str]) -> str:
    return lines[0] if lines else "nothing"


def _summary(tried: Sequence[Tried], model: Path) -> str:
    holding = [verdict.holds for each in tried for verdict in each.verdicts]
    failed = holding.count(False)
    if not failed:
        return f"{model}: all {len(holding)} situations hold"
    return f"{model}: {failed} of {len(holding)} situations {'does' if failed == 1 else 'do'} not hold"


def as_data(tried: Sequence[Tried], model: Path) -> str:
    """What a program reads."""
    situations = [
        {
            "file": str(each.file),
            "line": verdict.situation.line,
            "name": verdict.situation.name,
            "holds": verdict.holds,
            "differences": [asdict(difference) for difference in verdict.differences],
        }
        for each in tried
        for verdict in each.verdicts
    ]
    failed = sum(not situation["holds"] for situation in situations)
    whole = {"model": str(model), "failed": failed, "situations": situations}
    return json.dumps(whole, ensure_ascii=False, indent=2)


def _printable(line: str) -> str:
    """The line without signs that a terminal would obey."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in line)

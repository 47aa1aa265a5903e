"""What a YAML parser complains about, in the words of somebody who edits the file.

In: the parser's error, the bytes it read. Out: a sentence with file and line, and what would work.
Refuses to repeat the line: it may hold a secret.
"""

from typing import Any, Final

import yaml

# Part of the parser's complaint → what is nearly always the cause. The first that fits is told.
_REMEDIES: Final = (
    ("control characters", "Remove it, or save the file as plain text in UTF-8"),
    ("another document", "Put each into a file of its own, and remove the line ---"),
    ("alphabetic or numeric", 'Put text that begins with * or & into quotes, such as "*"'),
    ("mapping values", "Put text with a colon into quotes, or mend the indentation"),
    ("expected ':'", "Write each key with a colon and a blank, such as points: 8, or mend the indentation"),
    ("',' or", "Close the bracket, or put a comma in front of this"),
    ("escape", "Put text with a backslash into single quotes"),
    ("expected key", "Mend the indentation, or close the quotes or brackets in the lines above"),
    ("expected '-' indicator", "Mend the indentation: entries of a list begin under each other"),
    ("end of stream", "Close the quotes"),
    ("node content", "Close the bracket, or write a value here"),
    ("block end", "Mend the indentation"),
)
_OTHERWISE: Final = "Look at the quotes, brackets and indentation here"
_LONGEST_KEY: Final = 1_024
_START: Final = "cannot start any token"


def syntax_problem(error: yaml.YAMLError, content: bytes, file: str) -> str:
    """A parser's complaint with its line and a way out."""
    foreign: Any = error
    mark = getattr(foreign, "problem_mark", None) or getattr(foreign, "context_mark", None)
    what = getattr(foreign, "problem", None) or getattr(foreign, "reason", None) or str(error).splitlines()[0]
    line = mark.line + 1 if mark else content.count(b"\n", 0, getattr(foreign, "position", 0)) + 1
    if ("mapping values" in what or "expected ':'" in what) and _is_long(content, line):
        return f"{file}:{line}: not YAML: a key of more than {_LONGEST_KEY:,} characters. Shorten it"
    if _START in what and mark:
        return f"{file}:{line}: not YAML: {_bad_start(content, mark)}"
    remedy = next((remedy for part, remedy in _REMEDIES if part in what), _OTHERWISE)
    return f"{file}:{line}: not YAML: {what.removeprefix('but ')}. {remedy}"


def _is_long(content: bytes, line: int) -> bool:
    """Whether this line, or the one before it, is longer than a key may be."""
    return any(len(each) > _LONGEST_KEY for each in content.splitlines()[max(0, line - 2) : line])


def _bad_start(content: bytes, mark: Any) -> str:
    """Which character stands where none of its kind may."""
    lines = content.decode(errors="replace").splitlines()
    seen = lines[mark.line][mark.column : mark.column + 1] if mark.line < len(lines) else ""
    if seen == "\t":
        return "a tab. Indent with blanks"
    return f'text begins with "{seen}". Put it into quotes'

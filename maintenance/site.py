"""`make docs`: the documents as a site that needs no network, in build/docs/site.

In: docs/, the pages beside the README, and whatever file of the repository they link to. Out: HTML.
Refuses a link that leads nowhere, and an address in the result from which a browser would fetch something.

A link out of docs/ leads to a page of its own in the site: of a file with what it says, of a folder with its
files.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
OUTPUT: Final = ROOT / "build" / "docs"
PROJECT_PAGES: Final = ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")
_LINK: Final = re.compile(r"(\]\()(?!https?://|#|mailto:)([^)#\s]+)(#[^)\s]*)?(\))")
_FENCED: Final = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_FETCHED: Final = re.compile(
    r"<(?:script|img|iframe)\b[^>]*\ssrc=\"?(?:https?:)?//"
    r"|<link\b[^>]*(?:stylesheet|preconnect|preload)[^>]*href=\"?(?:https?:)?//"
    r"|<link\b[^>]*href=\"?(?:https?:)?//[^>]*(?:stylesheet|preconnect|preload)"
    r"|@import|url\([\"']?(?:https?:)?//"
)
_BEFORE_LIST: Final = re.compile(r"((?:^|\n)(?![-*] |[|#]|\d+\. |\s).*\n)(?=(?:[-*]|\d+\.) )")
_BEFORE_TABLE: Final = re.compile(r"((?:^|\n)(?!\||\s).*\n)(?=\|)")
_COLOUR: Final = re.compile(r"\x1b\[[\d;]*m")
_LANGUAGES: Final = {
    ".yaml": "yaml",
    ".yml": "yaml",
    ".json": "json",
    ".js": "js",
    ".env": "sh",
    ".py": "python",
    ".service": "ini",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of the site: where it stands there, its text, and the folder that its links are meant from."""

    place: Path
    text: str
    links_from: Path


def prepare(source: Path) -> None:
    """Everything that zensical reads, in this folder; links that left docs/ lead to pages of their own."""
    shutil.copytree(ROOT / "docs", source)
    shutil.copy(ROOT / "maintenance" / "site.css", source)
    waiting = [_page(path, Path(path.relative_to(ROOT / "docs"))) for path in (ROOT / "docs").rglob("*.md")]
    waiting += [_page(ROOT / name, Path("project") / name) for name in PROJECT_PAGES]
    written: set[Path] = set()
    while waiting:
        page = waiting.pop()
        if page.place not in written:
            written.add(page.place)
            text, linked = _relinked(page)
            (source / page.place).parent.mkdir(parents=True, exist_ok=True)
            (source / page.place).write_text(text)
            waiting += [_shown(path) for path in linked]


def place_of(path: Path) -> Path:
    """Where a file of the repository stands in the site; `path` is from the root."""
    if path == Path("README.md"):
        return Path("index.md")
    if path.parts[:1] == ("docs",):
        return path.relative_to("docs") / ("README.md" if (ROOT / path).is_dir() else "")
    if path.name in PROJECT_PAGES and len(path.parts) == 1:
        return Path("project") / path
    return Path("files") / (path / "index.md" if (ROOT / path).is_dir() else f"{path}.md")


def _page(path: Path, place: Path) -> Page:
    return Page(place=place, text=path.read_text(), links_from=path.parent)


def _shown(path: Path) -> Page:
    """A file or a folder outside docs/ as a page."""
    where = ROOT / path
    if where.is_dir():
        names = [each.relative_to(where) for each in where.rglob("*") if each.is_file()]
        listed = "".join(f"- [{name}]({name})\n" for name in sorted(names))
        return Page(place=place_of(path), text=f"# {path}\n{listed}", links_from=where)
    language = _LANGUAGES.get(where.suffix, "text")
    fence = f"````{language}\n{where.read_text().rstrip()}\n````\n"
    text = f"# {path.name}\n`{path}` in the repository.\n\n{fence}"
    return Page(place=place_of(path), text=text, links_from=where.parent)


def _relinked(page: Page) -> tuple[str, list[Path]]:
    """The page's text with links as they are in the site, and the files outside docs/ that it links to."""
    linked: list[Path] = []

    def link(found: re.Match[str]) -> str:
        target = (page.links_from / found[2]).resolve().relative_to(ROOT)
        if target.parts[:1] == ("docs",) and target.suffix != ".md" and not (ROOT / target).is_dir():
            place = target.relative_to("docs")  # a picture
        else:
            place = place_of(target)
            if place.parts[0] == "files":
                linked.append(target)
        return f"{found[1]}{os.path.relpath(place, page.place.parent)}{found[3] or ''}{found[4]}"

    return _outside_fences(page.text, link), linked


def _outside_fences(text: str, link: Callable[[re.Match[str]], str]) -> str:
    """Links are read, and lists set apart, outside of fenced blocks only."""
    pieces, at = [], 0
    for fence in _FENCED.finditer(text):
        pieces += [_set_apart(_LINK.sub(link, text[at : fence.start()])), fence[0]]
        at = fence.end()
    return "".join([*pieces, _set_apart(_LINK.sub(link, text[at:]))])


def _set_apart(text: str) -> str:
    """An empty line before each list and table: GitHub needs none there, Python-Markdown does."""
    return _BEFORE_LIST.sub(r"\1\n", _BEFORE_TABLE.sub(r"\1\n", text))


def fetched(site: Path) -> Iterator[str]:
    """Places in the built site from which a browser would fetch something of others."""
    for path in site.rglob("*"):
        if path.suffix in {".html", ".css"}:
            for found in _FETCHED.finditer(path.read_text()):
                yield f"{path.relative_to(site)}: {found[0][:120]}"


def build(output: Path) -> Path:
    """Build the site there; return the folder of its pages. Raises RuntimeError with what is wrong."""
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    prepare(output / "source")
    shutil.copy(ROOT / "maintenance" / "zensical.toml", output)
    done = subprocess.run(
        [Path(sys.executable).with_name("zensical"), "build", "--strict", "--config-file", "zensical.toml"],
        cwd=output,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = _COLOUR.sub("", done.stdout + done.stderr).partition("Traceback")[0]
        raise RuntimeError(f"the site could not be built:\n{said}")
    if addresses := list(fetched(output / "site")):
        raise RuntimeError("the site would fetch from elsewhere:\n" + "\n".join(addresses))
    return output / "site"


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{build(OUTPUT)}/index.html\n")
    except RuntimeError as error:
        sys.exit(str(error))

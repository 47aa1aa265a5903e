"""`make docs`: the site is built, whole, and needs nobody else."""

import re
import tomllib
from pathlib import Path

import pytest

from maintenance import site


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` builds it: strictly."""
    return site.build(tmp_path_factory.mktemp("site"))


def test_every_document_is_a_page(built: Path) -> None:
    """And so is every file that one of them links to."""
    pages = {str(path.relative_to(built)) for path in built.rglob("*.html")}
    ours = {
        str(path.relative_to(site.ROOT / "docs").with_suffix(".html"))
        for path in (site.ROOT / "docs").rglob("*.md")
    }
    # README.md of a folder is its index.
    assert {name.replace("README", "index") for name in ours} - {
        name.replace("README", "index") for name in pages
    } == set()
    assert "files/deploy/config/routing.yaml.html" in pages


def test_lists_and_tables_are_set_apart(built: Path) -> None:
    """Where GitHub needs no empty line before them and Python-Markdown does: no page shows the signs."""
    page = (built / "threat-model.html").read_text()
    assert page.count("<li>\n<p><strong>") + page.count("<li><strong>") >= 5
    assert not re.search(r"<p>[^<]*\n(?:- |\d+\. |\| )", page)


def test_a_browser_fetches_nothing_from_elsewhere(built: Path) -> None:
    """No fonts, scripts, styles or pictures of others."""
    assert list(site.fetched(built)) == []


def test_every_document_is_in_the_menu() -> None:
    """But for single decisions, which their own list has."""
    menu = str(tomllib.loads((site.ROOT / "maintenance" / "zensical.toml").read_text())["project"]["nav"])
    ours = [str(path.relative_to(site.ROOT / "docs")) for path in (site.ROOT / "docs").rglob("*.md")]
    assert [name for name in ours if f"'{name}'" not in menu and not name.startswith("decisions/0")] == []


def test_a_link_that_leads_nowhere_stops_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that is not there, told with the place."""
    prepare = site.prepare

    def broken(source: Path) -> None:
        prepare(source)
        with (source / "index.md").open("a") as page:
            page.write("\n[nowhere](guides/nowhere.md)\n")

    monkeypatch.setattr(site, "prepare", broken)
    with pytest.raises(RuntimeError, match=r"guides/nowhere\.md"):
        site.build(tmp_path)


def test_a_fetched_address_is_seen(tmp_path: Path) -> None:
    """In a page and in a style."""
    (tmp_path / "page.html").write_text('<script src="https://cdn.example/x.js"></script>')
    (tmp_path / "style.css").write_text("@import 'x'; a { background: url(https://cdn.example/x.png) }")
    assert len(list(site.fetched(tmp_path))) == 3
    assert not re.search("cdn", "".join(site.fetched(tmp_path / "nothing")))

"""A model on disk: which files it may name, and what people are told about files that cannot be read."""

import os
from pathlib import Path

import pytest

from services.scorer.models import builtin_lists, model_source
from shared.errors import Misconfigured
from shared.scoring.file.lists import BUILTIN_LISTS
from tests.scoring.small import BASE, rule

CONFIG = Path(__file__).resolve().parents[2] / "deploy" / "config"
BELOW = rule("f", "when: {email_domain: {in: mine}}, points: 30", group="who")


def model_with(folder: Path, given: str) -> Path:
    file = folder / "scoring.yaml"
    file.write_text(f"{BASE}lists:\n  mine: {given}\nfit:\n{BELOW}")
    return file


def problem_of(file: Path) -> str:
    with pytest.raises(Misconfigured) as caught:
        model_source.read(file)
    (problem,) = caught.value.problems
    return problem


def test_a_list_is_fetched_from_all_its_sources(tmp_path: Path) -> None:
    """Package, file and values written out are one list; what was fetched is kept for the version."""
    (tmp_path / "own.txt").write_text("Own.example # ours\n")
    source = model_source.read(model_with(tmp_path, "[builtin:free-mail, file:own.txt, extra.example]"))
    (fit,) = source.model.fit
    assert all(fit.holds({"email_domain": each}) for each in ("gmx.de", "own.example", "extra.example"))
    assert source.lists["mine"] == builtin_lists.values("free-mail") | {"own.example"}


def test_disposable_wins_over_free_mail() -> None:
    """No domain is in both builtin lists, and each is as it is compared: in lower case."""
    disposable, free_mail = builtin_lists.values("disposable"), builtin_lists.values("free-mail")
    assert "mailinator.com" in disposable
    assert not disposable & free_mail
    assert all(domain == domain.casefold().strip() for domain in disposable | free_mail)


@pytest.mark.parametrize("name", BUILTIN_LISTS)
def test_every_builtin_list_has_thousands_of_domains(name: str) -> None:
    """What the names promise is in the packages that are installed."""
    assert len(builtin_lists.values(name)) > 4_000


def test_private_addresses_of_german_providers_are_no_company_addresses() -> None:
    """The reference model knows those that people in Germany use, and the throw-away ones."""
    model = model_source.read(CONFIG / "scoring.yaml").model
    business = next(rule for rule in model.fit if rule.id == "business-email")
    private = (
        "gmail.com gmx.de gmx.net web.de t-online.de freenet.de mailbox.org posteo.de tutanota.com 1und1.de"
    )
    assert not any(business.holds({"email_domain": domain}) for domain in private.split())
    assert not business.holds({"email_domain": "mailinator.com"})
    assert business.holds({"email_domain": "firma.example"})


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    """A published model must not read arbitrary files, by whatever way."""
    folder = tmp_path / "models"
    folder.mkdir()
    (tmp_path / "secret.txt").write_text("secret\n")
    (folder / "own.txt").symlink_to(tmp_path / "secret.txt")
    problem = problem_of(model_with(folder, "own.txt"))
    assert problem.endswith(
        'list "mine": file "own.txt" is a link out of the folder of the model. Put the file there'
    )


def test_a_link_within_the_folder_is_followed(tmp_path: Path) -> None:
    """Kubernetes mounts every file of a ConfigMap as a link to a folder beside it."""
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data" / "own.txt").write_text("own.example\n")
    (tmp_path / "own.txt").symlink_to("..data/own.txt")
    assert model_source.read(model_with(tmp_path, "own.txt")).lists == {"mine": {"own.example"}}


def test_each_file_that_cannot_be_read_has_its_sentence(tmp_path: Path) -> None:
    """Absent, a folder, a pipe, not UTF-8, too large: what it is, with a line and a way out, at once."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "latin").write_bytes("name: x\nlabel: Grün\n".encode("latin-1"))
    (tmp_path / "wide").write_bytes("name: x\n".encode("utf-16"))
    (tmp_path / "large").write_bytes(b"#" * 10_000_000)
    told = {
        name: problem_of(tmp_path / name) for name in ("none", "folder", "pipe", "latin", "wide", "large")
    }
    assert {name: problem.removeprefix(f"{tmp_path}/{name}") for name, problem in told.items()} == {
        "none": ":1: there is no such file. Create it, or name another",
        "folder": ":1: this is a folder. Name a file",
        "pipe": ":1: this is no plain file. Name a file",
        "latin": ":2: byte 0xfc in line 2 is not UTF-8. Save it as UTF-8",
        "wide": ":1: UTF-16 is not UTF-8. Save it as UTF-8",
        "large": ":1: 10,000,000 bytes. At most 1,000,000; split off lists",
    }


def test_a_list_file_that_cannot_be_read_is_told_where_it_is_named(tmp_path: Path) -> None:
    """With the line of the model, so that the author finds it."""
    os.mkfifo(tmp_path / "pipe.txt")
    assert problem_of(model_with(tmp_path, "pipe.txt")).endswith(
        'scoring.yaml:12: list "mine": file "pipe.txt": this is no plain file. Name a file'
    )
    assert problem_of(model_with(tmp_path, "none.txt")).endswith(
        'list "mine": file "none.txt": there is no such file. Create it, or name another'
    )


def test_the_mark_that_windows_puts_in_front_is_not_part_of_the_text(tmp_path: Path) -> None:
    """A file saved by Notepad loads like any other."""
    file = model_with(tmp_path, "[a.example]")
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert model_source.read(file).text.startswith("name:")

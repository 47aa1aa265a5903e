"""`leadscore config`: a folder to begin with, that the services take as it is."""

from pathlib import Path

import pytest

from services.cli.config import write
from services.ingest import source_file
from services.ingest.sources.provider import providers
from services.router import route_file
from services.router.destination import kinds
from services.scorer.models import model_source
from shared.errors import Misconfigured


def environment(folder: Path) -> dict[str, str]:
    """The variables of the environment file."""
    lines = (folder / "leadscore.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


def test_the_services_take_it_as_it_is(tmp_path: Path) -> None:
    """Sources, routes and model are read without a mistake, with the secrets beside them."""
    write(tmp_path / "mine")
    secrets = environment(tmp_path / "mine")
    sources = tmp_path / "mine" / "sources.yaml"
    text = sources.read_text()
    source_file.read(text, file=str(sources), environment=secrets, known=providers(()))
    route_file.load(tmp_path / "mine" / "routing.yaml", secrets, kinds(()))
    assert model_source.read(tmp_path / "mine" / "scoring.yaml").model.name == "B2B software"


def test_secrets_are_new_and_for_their_owner_only(tmp_path: Path) -> None:
    """Two folders have no secret in common, and the file has mode 0600."""
    write(tmp_path / "one")
    write(tmp_path / "two")
    one, two = environment(tmp_path / "one"), environment(tmp_path / "two")
    secrets = [name for name in one if "KEY" in name or "SECRET" in name or "PASSWORD" in name]
    assert len(secrets) == 8
    assert [name for name in secrets if not one[name] or one[name] == two[name]] == []
    assert (tmp_path / "one" / "leadscore.env").stat().st_mode & 0o777 == 0o600


def test_nothing_is_written_over(tmp_path: Path) -> None:
    """A folder with one of the files is refused by name, and stays as it was."""
    (tmp_path / "sources.yaml").write_text("mine")
    with pytest.raises(Misconfigured, match=r"sources\.yaml\. Name another folder"):
        write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["sources.yaml"]

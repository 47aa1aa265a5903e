"""One machine's data folder: locked, with secrets that are made once and read by nobody else."""

import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key

from services.cli.installation import Installation
from services.ingest import source_file
from shared.errors import Misconfigured
from tests.servers import REPOSITORY


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """An installation that nobody has started yet."""
    return Installation.of({"LEADSCORE_DATA": str(tmp_path / "data")})


def test_the_folder_is_data_here_unless_the_environment_says_otherwise() -> None:
    """`.data` in the working directory, or LEADSCORE_DATA."""
    assert Installation.of({}).folder == Path.cwd() / ".data"
    assert Installation.of({"LEADSCORE_DATA": ""}).folder == Path.cwd() / ".data"
    assert Installation.of({"LEADSCORE_DATA": "/somewhere"}).folder == Path("/somewhere")


def test_secrets_are_made_once(installation: Installation) -> None:
    """The second start has the secrets of the first, or every lead would be orphaned."""
    first = installation.secrets({})
    assert installation.secrets({}) == first
    assert len(set(first.values())) == len(first)


def test_secrets_are_for_their_owner_only(installation: Installation) -> None:
    """Nobody else on the machine may read them."""
    installation.secrets({})
    assert (installation.folder / "secrets.env").stat().st_mode & 0o777 == 0o600


def test_a_secret_of_the_environment_is_used_and_not_kept(installation: Installation) -> None:
    """What the user sets counts, and stays out of our file."""
    given = {"LEADSCORE_IDENTITY_KEY": "from-the-environment"}
    assert installation.secrets(given)["LEADSCORE_IDENTITY_KEY"] == "from-the-environment"
    assert "from-the-environment" not in (installation.folder / "secrets.env").read_text()


def test_a_secret_that_a_new_version_needs_is_added(installation: Installation) -> None:
    """An upgrade makes what is missing and leaves what is there."""
    before = installation.secrets({})
    file = installation.folder / "secrets.env"
    lines = [
        line for line in file.read_text().splitlines() if not line.startswith("LEADSCORE_WEBHOOK_SECRET=")
    ]
    file.write_text("\n".join(lines))
    after = installation.secrets({})
    assert after.pop("LEADSCORE_WEBHOOK_SECRET") != before.pop("LEADSCORE_WEBHOOK_SECRET")
    assert after == before


def test_the_secrets_fit_the_sources_file(installation: Installation) -> None:
    """With them alone, the sources.yaml that we ship is complete."""
    file = REPOSITORY / "deploy/config/sources.yaml"
    secrets = installation.secrets({})
    registry = source_file.read(file.read_text(), file=str(file), environment=secrets)
    for name, kind in (("PRODUCT", "product"), ("CRM", "crm")):
        source = registry.by_key(secrets[f"LEADSCORE_KEY_{name}"])
        assert source is not None
        assert source.kind == kind


def test_the_mail_keys_are_a_pair(installation: Installation) -> None:
    """What the demo signs with the one, ingest verifies with the other."""
    secrets = installation.secrets({})
    private = load_der_private_key(base64.b64decode(secrets["LEADSCORE_DEMO_MAIL_KEY"]), None)
    assert isinstance(private, EllipticCurvePrivateKey)
    public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert base64.b64encode(public).decode() == secrets["SENDGRID_PUBLIC_KEY"]


def test_other_commands_know_secrets_and_addresses(installation: Installation) -> None:
    """A second terminal finds what the first one made; before a first start there is nothing to know."""
    assert installation.known() == {}
    secrets = installation.secrets({})
    installation.note({"DATABASE_URL": "postgresql://postgres@127.0.0.1:1/x?a=b"})
    assert installation.known() == secrets | {"DATABASE_URL": "postgresql://postgres@127.0.0.1:1/x?a=b"}


def test_addresses_are_forgotten_with_what_they_were_of(installation: Installation) -> None:
    """Who takes the same ports next is somebody else; the secrets stay."""
    secrets = installation.secrets({})
    installation.note({"DATABASE_URL": "postgresql://postgres@127.0.0.1:1/x"})
    installation.forget()
    assert installation.known() == secrets
    installation.forget()


def test_a_second_supervisor_is_refused_while_the_first_lives(installation: Installation) -> None:
    """The lock ends with the process that holds it, even by kill -9, and names it until then."""
    program = (
        "import sys, time; from pathlib import Path; from services.cli.installation import Installation\n"
        "with Installation(folder=Path(sys.argv[1])).claim(): print(flush=True); time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(installation.folder)], cwd=REPOSITORY, stdout=subprocess.PIPE
    ) as first:
        assert first.stdout is not None
        first.stdout.readline()
        with pytest.raises(Misconfigured, match=rf"process {first.pid}\)\. Stop it"), installation.claim():
            pass
        with pytest.raises(Misconfigured):
            installation.wipe()
        first.kill()
    with installation.claim():
        assert (installation.folder / "lock").read_text() == str(os.getpid())


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """A place where nothing can be written is one sentence, not a traceback."""
    (tmp_path / "file").write_text("")
    nowhere = Installation(folder=tmp_path / "file" / "data")
    with pytest.raises(Misconfigured, match=r"cannot be written to .*LEADSCORE_DATA"), nowhere.claim():
        pass


def test_wipe_deletes_what_we_made_and_nothing_else(installation: Installation) -> None:
    """Somebody's own file in the folder survives."""
    installation.secrets({})
    (installation.folder / "kafka" / "data").mkdir(parents=True)
    (installation.folder / "notes.txt").write_text("mine")
    installation.wipe()
    left = sorted(each.name for each in installation.folder.iterdir())
    assert left == ["lock", "notes.txt", "watch.lock"]


def test_wipe_refuses_what_a_watch_writes_to(installation: Installation) -> None:
    """While `make watch` runs, nothing is deleted, and the sentence says where it is."""
    kept = installation.secrets({})
    with installation.claim_watch() as note:
        note("http://127.0.0.1:19090/alerts")
        with pytest.raises(Misconfigured, match=r"already runs on .*: http://127\.0\.0\.1:19090/alerts"):
            installation.wipe()
        assert installation.known() == kept
    installation.wipe()
    assert installation.known() == {}

"""The `leadscore` command: what it lists, what it imports, how it fails."""

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from services.cli.__main__ import COMMANDS, main
from services.cli.installation import Installation
from tests.servers import REPOSITORY


def _leadscore(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "services.cli", *words],
        cwd=REPOSITORY,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_is_there(words: str) -> None:
    """Each line of the list names a function that exists and says what it does."""
    where, explained = COMMANDS[words]
    module, _, function = where.partition(":")
    assert callable(getattr(import_module(module), function))
    assert explained.endswith(".")


def test_help_lists_every_command() -> None:
    """`leadscore --help` shows each command, without importing any of their modules."""
    done = _leadscore("--help")
    assert done.returncode == 0
    assert all(words.split()[0] in done.stdout for words in COMMANDS)


def test_only_the_command_that_is_meant_is_imported() -> None:
    """Checking a model does not wait for libraries that talk to Postgres or draw pages."""
    look = (
        "import sys; from services.cli.__main__ import COMMANDS, application;"
        "application(COMMANDS, ['model', 'check']); print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", look], cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=60
    )
    imported = set(done.stdout.split())
    assert "services.cli.model.check" in imported
    assert not imported & {"sqlalchemy", "asyncpg", "jinja2", "services.cli.model.publish"}


def test_a_known_mistake_is_one_message_and_exit_code_2() -> None:
    """Misconfigured is for people: no traceback."""
    done = _leadscore("topics", KAFKA_SECURITY_PROTOCOL="SMOKE")
    assert done.returncode == 2
    assert "KAFKA_SECURITY_PROTOCOL" in done.stderr
    assert "Traceback" not in done.stderr


def test_trouble_of_the_world_is_exit_code_1() -> None:
    """Transient: the same command may work later."""
    done = _leadscore("topics", "--check", KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")
    assert done.returncode == 1
    assert "Kafka at 127.0.0.1:1" in done.stderr


def test_an_address_comes_from_the_installation_unless_the_environment_has_one(tmp_path: Path) -> None:
    """A second terminal needs no variables; those it has count more."""
    Installation(folder=tmp_path).note({"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:2"})
    noted = _leadscore("topics", "--check", LEADSCORE_DATA=str(tmp_path), KAFKA_BOOTSTRAP_SERVERS="")
    assert "Kafka at 127.0.0.1:2" in noted.stderr
    given = _leadscore(
        "topics", "--check", LEADSCORE_DATA=str(tmp_path), KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1"
    )
    assert "Kafka at 127.0.0.1:1" in given.stderr


def test_a_folder_of_another_user_keeps_nobody_from_other_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One `sudo make run`, and then a command that needs none of it: one line on stderr, and it goes on."""
    Installation(folder=tmp_path).secrets({})
    monkeypatch.setattr(Path, "read_text", _denied)  # root reads what it may not
    monkeypatch.setenv("LEADSCORE_DATA", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["leadscore", "keys", "new", "write"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    said = capsys.readouterr()
    assert f"{tmp_path / 'secrets.env'} is another user's" in said.err
    assert "sha256:" in said.out


def _denied(*_: object, **__: object) -> str:
    raise PermissionError(13, "Permission denied")


def test_topics_makes_and_checks(kafka_server: str) -> None:
    """The command makes what is missing (exit code 0), and then finds nothing to say."""
    environment = {"KAFKA_BOOTSTRAP_SERVERS": kafka_server, "LEADSCORE_TOPIC_PREFIX": "by-command."}
    missing = _leadscore("topics", "--check", **environment)
    assert (missing.returncode, missing.stdout.count("missing by-command.")) == (1, 3)
    made = _leadscore("topics", **environment)
    assert (made.returncode, made.stdout.count("created by-command.")) == (0, 3)
    assert _leadscore("topics", "--check", **environment).stdout == "all topics are as they should be\n"


def test_migrate_says_where_the_schema_is(database: str) -> None:
    """Migrating a database that is at the head is legal."""
    done = _leadscore("migrate", DATABASE_URL=database)
    assert (done.returncode, done.stdout.split(" at ")[0]) == (0, "the schema is"), done.stderr


def test_wipe_asks_first(tmp_path: Path) -> None:
    """Without a yes nothing is deleted."""
    installation = Installation(folder=tmp_path)
    kept = installation.secrets({})
    assert _leadscore("wipe", LEADSCORE_DATA=str(tmp_path)).returncode != 0
    assert installation.known() == kept
    assert _leadscore("wipe", "--yes", LEADSCORE_DATA=str(tmp_path)).returncode == 0
    assert installation.known() == {}

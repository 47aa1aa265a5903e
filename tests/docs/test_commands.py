"""Every command block of every document runs as it stands there, on a real installation."""

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest

from services.cli.local.ports import listens
from shared.kafka.connect import Connection
from shared.topics import Topics
from tests.conftest import delete_topics, new_database
from tests.docs.blocks import ROOT, Block, blocks, documents
from tests.docs.live import Live, live
from tests.docs.reader import Reader, reader
from tests.ports import free_port
from tests.waiting import until

GUIDES: Final = "docs/guides"

NOT_HERE: Final = {
    (f"{GUIDES}/production.md", "docker compose"): "needs a Docker engine",
    (f"{GUIDES}/production.md", ". /etc/leadscore"): "needs what Docker started",
    (f"{GUIDES}/production.md", "python3 -m venv /opt"): "installs a release for the whole machine, as root",
    (f"{GUIDES}/production.md", "runuser"): "needs the user that the block before makes, as root",
    (f"{GUIDES}/production.md", "cp deploy/systemd"): "needs systemd, as root",
    (f"{GUIDES}/production.md", "docker build"): "needs a Docker engine",
    (f"{GUIDES}/production.md", "kubectl"): "needs a Kubernetes cluster",
    ("docs/faults.md", "make faults"): "breaks everything for an hour; its rows are tests of their own",
}
"""Blocks that cannot run here: (document, how one begins) → why. tests/deploy reads their options."""

ELSEWHERE: Final = {
    # Its database is lost and restored.
    f"{GUIDES}/backup.md": "tests/faults/test_backup.py",
    # Needs events with certain ids.
    f"{GUIDES}/clean-signals.md": "tests/cli/test_clean_signals_guide.py",
    # The two commands of README.md, which is read here.
    "docs/index.md": "tests/docs/test_commands.py",
}
"""Documents whose blocks are run by another test, or in another document: → where."""

BEFORE: Final = {
    f"{GUIDES}/backtest.md": """
        cp -r deploy/config/lists . && cp deploy/config/scoring.yaml draft.yaml
        for name in two three four; do
            sed "s/^name: .*/name: $name/" draft.yaml > $name.yaml
            leadscore model draft $name.yaml
        done
        on() { date --utc +%FT%TZ --date "$1 days ago"; }
        columns=event,email,occurred_at who=won@deals.example
        printf '%s\\n' $columns form.submitted,$who,$(on 150) > old.csv
        printf '%s\\n' $columns lead.accepted,$who,$(on 80) deal.won,$who,$(on 80) > crm.csv
        leadscore import old.csv --source product && leadscore import crm.csv --source crm
    """,
    f"{GUIDES}/checking-a-model.md": """
        cp -r deploy/config/lists . && cp deploy/config/scoring.yaml mine.yaml && cp mine.yaml other.yaml
    """,
    f"{GUIDES}/history.md": """
        echo '{"event": "Trial Started", "user_id": "u", "occurred_at": "2026-05-01T10:00Z"}' > events.jsonl
    """,
    f"{GUIDES}/plan-a-change.md": """
        cp -r deploy/config/lists . && cp deploy/config/scoring.yaml .
        sed --in-place 's/^name: .*/name: changed/' scoring.yaml
    """,
    f"{GUIDES}/consent.md": """
        curl -sf -u YOUR_PRODUCT_KEY: http://127.0.0.1:8090/v1/identify \\
            -d '{"userId": "c", "traits": {"email": "ada@example.com"}}'
    """,
}
"""What a reader of the document already has."""


def commands(document: Path) -> list[Block]:
    """The blocks that a reader types, and the programs and files that go with them."""
    return [each for each in blocks(document) if each.language in {"sh", "python"} or each.file]


def typed_here(document: Path) -> bool:
    name = str(document.relative_to(ROOT))
    return name not in ELSEWHERE and any(each.language == "sh" for each in commands(document))


CRM: Final = ROOT / GUIDES / "crm.md"
DOCUMENTS: Final = [each for each in documents() if typed_here(each) and each != CRM]
_COMMAND: Final = re.compile(r"^(leadscore|make|docker|kubectl|curl|\.venv/bin/\S+) [a-z]", re.MULTILINE)
# What a shell of an operator has, and commands that look only at their environment need.
_ASKED: Final = ("DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS", "LEADSCORE_KEY_CRM", "LEADSCORE_IDENTITY_KEY")


def reason(block: Block) -> str:
    """Why this block cannot run here; empty if it can."""
    said = [
        why
        for (document, begin), why in NOT_HERE.items()
        if document == block.document and block.text.startswith(begin)
    ]
    return said[0] if said else ""


@contextmanager
def started(kafka: str, postgres: str, base: Path, more: Mapping[str, str]) -> Iterator[Live]:
    """`make run` with a database and topics of its own."""
    prefix = f"docs{uuid4().hex[:12]}."
    with new_database(postgres, "CREATE DATABASE {name}") as url:
        servers = {"DATABASE_URL": url, "KAFKA_BOOTSTRAP_SERVERS": kafka}
        with live(base / "data", servers, prefix, more) as running:
            yield running
    connection = Connection(bootstrap_servers=kafka, client_id="tests", options={})
    asyncio.run(delete_topics(connection, Topics(prefix=prefix)))


@pytest.fixture(scope="module")
def installation(
    kafka_server: str, postgres_server: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Live]:
    """One for all documents but that on CRMs, which needs other routes."""
    with started(kafka_server, postgres_server, tmp_path_factory.mktemp("docs"), {}) as running:
        yield running


def read(document: Path, running: Live, folder: Path, more: Mapping[str, str]) -> list[str]:
    """Type everything; after each block wait until all is counted and told. What each `sh` block printed.

    more: what stands on the page → what is meant here
    """
    known = running.known
    places = {
        "https://leads.example.com": f"http://127.0.0.1:{known['LEADSCORE_INGEST_PORT']}",
        "127.0.0.1:8090": f"127.0.0.1:{known['LEADSCORE_INGEST_PORT']}",
        "YOUR_PRODUCT_KEY": known["LEADSCORE_KEY_PRODUCT"],
        "/etc/leadscore": str(folder / "etc"),
        **more,
    }
    (folder / ".data").symlink_to(running.folder)
    environment = {**running.environment, **{name: known[name] for name in _ASKED}}
    with reader(folder, environment, places) as shell:
        shell.types(BEFORE.get(str(document.relative_to(ROOT)), ""))
        return [_follow(each, running, folder, shell) for each in commands(document) if not reason(each)]


def _follow(block: Block, running: Live, folder: Path, shell: Reader) -> str:
    if block.file:
        (folder / block.file).write_text(shell.typed(block.text))
        return ""
    program = block.language == "python"
    said = shell.types(f"python - <<'PROGRAM'\n{block.text}PROGRAM" if program else block.text)
    for port in re.findall(r" (\d+) &$", shell.typed(block.text), re.MULTILINE):
        asyncio.run(until(partial(listens, int(port))))
    running.settle()
    return said


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_every_command_block_runs(document: Path, installation: Live, tmp_path: Path) -> None:
    """From the first to the last, in one shell, as a reader types them; and prints what the page shows."""
    said = read(document, installation, tmp_path, {})
    assert missing(document, said) == [], "\n".join(said)


def test_the_guide_to_crms_runs(kafka_server: str, postgres_server: str, tmp_path: Path) -> None:
    """The receiver takes what the router signed, its calls make a customer, a program reads the queue."""
    port = str(free_port())
    here = {"8099": port, "routing.yaml": str(tmp_path / "routing.yaml")}
    [routing] = [each for each in blocks(CRM) if each.file == "routing.yaml"]
    (tmp_path / "routing.yaml").write_text(routing.text)
    [line] = re.findall(r"^(.*) make run$", CRM.read_text(), re.MULTILINE)
    for shown, meant in here.items():
        line = line.replace(shown, meant)
    with started(kafka_server, postgres_server, tmp_path, dict(re.findall(r"(\S+)=(\S+)", line))) as running:
        said = read(CRM, running, tmp_path, {"8099": port})
    assert missing(CRM, said) == [], "\n".join(said)
    assert any("CUSTOMER" in text for text in said)


def missing(document: Path, said: Sequence[str]) -> list[str]:
    """Lines of the page's `text` blocks that nothing printed; spaces, frames and … do not matter."""
    printed = [_plain(line) for text in said for line in text.splitlines()]
    shown = [
        _plain(line)
        for each in blocks(document)
        if each.language == "text"
        for line in each.text.splitlines()
    ]
    return [line for line in shown if not any(_fits(line, each) for each in printed)]


def _plain(line: str) -> str:
    return " ".join(re.sub(r"[│┃┆]", " ", line).split())


def _fits(shown: str, printed: str) -> bool:
    """Whether the line begins as the page shows it, up to a `…`."""
    return printed.startswith(shown.removesuffix("…").rstrip())


def test_every_command_block_is_run_or_has_a_reason() -> None:
    """No block is left out in silence, no reason is left over, no command stands in a block without `sh`."""
    every = [each for document in documents() for each in blocks(document)]
    unmarked = [each.place for each in every if not each.language and _COMMAND.search(each.text)]
    assert unmarked == []
    begins = [(each.document, each.text) for each in every if each.language == "sh"]
    unused = [
        entry for entry in NOT_HERE if not any(d == entry[0] and t.startswith(entry[1]) for d, t in begins)
    ]
    assert unused == []
    for document, test in ELSEWHERE.items():
        assert Path(document).name in (ROOT / test).read_text()

"""`leadscore config FOLDER`: configuration to begin with, in a folder of your own.

In: a folder. Out: in it the files of deploy/config (sources, routing, a scoring model with its situations and
lists, reference.env), and `leadscore.env`, mode 0600, with secrets just made up.
Refuses to write over a file that is there: it may be yours.
"""

import os
import secrets
import shutil
from pathlib import Path
from typing import Annotated, Final

import typer

from services.cli.installation import mail_keys, tokens
from shared.deployed import DEPLOY
from shared.errors import Misconfigured

ENVIRONMENT_FILE: Final = "leadscore.env"
_FILES: Final = (
    "sources.yaml",
    "routing.yaml",
    "scoring.yaml",
    "scoring.situations.yaml",
    "lists",
    "reference.env",
)
_SETTINGS: Final = {
    "LEADSCORE_INGEST_SOURCES_FILE": "sources.yaml",
    "LEADSCORE_SCORER_MODEL_FILE": "scoring.yaml",
    "LEADSCORE_ROUTER_ROUTING_FILE": "routing.yaml",
}
_MAIL: Final = "SENDGRID_PUBLIC_KEY"
_HEAD: Final = f"""\
# Secrets and addresses of this installation; every setting there is: reference.env
# {_MAIL} is made up, so that nobody can sign: put SendGrid's there, or take the source `email` out.
# With compose, settings that compose.yaml does not name go into a file settings.env beside this one.
# The last four are for deploy/compose.yaml: without the profile servers, Kafka and Postgres are yours.
# LEADSCORE_CRM_WEBHOOK_URL is where leads are posted; empty: nowhere.
"""


def config(
    folder: Annotated[Path, typer.Argument(help="Where to; made if it is not there.")],
) -> None:
    """Write configuration to begin with, and an environment file with new secrets."""
    write(folder)
    typer.echo(
        f"{folder} has the configuration to begin with, and secrets in {ENVIRONMENT_FILE}: keep a copy of "
        "LEADSCORE_IDENTITY_KEY where it cannot get lost. Edit sources.yaml and routing.yaml first."
    )


def write(folder: Path) -> None:
    """Write all files. Raises Misconfigured, and writes nothing, if one of them is there."""
    if there := [name for name in (*_FILES, ENVIRONMENT_FILE) if (folder / name).exists()]:
        raise Misconfigured(
            f"{folder} has files of these names: {', '.join(there)}. Name another folder, or move them.", []
        )
    folder.mkdir(parents=True, exist_ok=True)
    for name in _FILES:
        source = DEPLOY / "config" / name
        (shutil.copytree if source.is_dir() else shutil.copyfile)(source, folder / name)
    ours = tokens() | {
        _MAIL: mail_keys()[_MAIL],
        "LEADSCORE_CRM_WEBHOOK_URL": "",
        **{setting: str(folder.resolve() / file) for setting, file in _SETTINGS.items()},
        "LEADSCORE_CONFIG": str(folder.resolve()),
        "POSTGRES_PASSWORD": secrets.token_urlsafe(24),
        "GRAFANA_PASSWORD": secrets.token_urlsafe(24),
        "COMPOSE_PROFILES": "servers",
    }
    opened = os.open(folder / ENVIRONMENT_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(opened, "w") as out:
        out.writelines([_HEAD, *(f"{name}={value}\n" for name, value in ours.items())])

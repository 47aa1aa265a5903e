"""Every committed contract, made from the code.

    python -m services.cli.contracts.write

In: the types, routes and tables that the services go by. Out: deploy/contracts and deploy/schemas.
Refuses to drift: tests/cli/contracts compares the committed files with what comes out here.
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from services.cli.contracts import asyncapi, records
from services.ingest import source_shape
from services.ingest.contract import openapi
from services.ingest.limits import Limits
from services.ingest.sources import provider
from services.router import schemas as router
from shared.scoring.file import schema as scoring
from shared.scoring.situations import schema as situations

DEPLOY: Final = Path(__file__).resolve().parents[3] / "deploy"


def documents() -> dict[str, str]:
    """Path below deploy/ → text of each contract."""
    release, known = version("leadscore"), provider.providers()
    return {
        "contracts/openapi.json": _text(openapi.document(release, Limits(), known)),
        "contracts/asyncapi.json": _text(asyncapi.document(release)),
        **{f"schemas/{name}": text for name, text in schemas().items()},
    }


def schemas() -> dict[str, str]:
    """File name → JSON Schema: of records, of webhooks, of configuration files."""
    return {
        **{name: _text(schema) for name, schema in records.schemas().items()},
        **router.schemas(),
        "sources.v1.json": source_shape.schema(),
        "scoring.v1.json": scoring.schema_text(),
        "situations.v1.json": situations.schema_text(),
    }


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write all of them."""
    for path, text in documents().items():
        (DEPLOY / path).parent.mkdir(exist_ok=True)
        (DEPLOY / path).write_text(text, encoding="utf-8")
    sys.stdout.write(f"{len(documents())} contracts written below {DEPLOY}\n")


if __name__ == "__main__":
    main()

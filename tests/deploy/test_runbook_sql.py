"""What the runbook has somebody type into psql works on the schema of today."""

import re
from pathlib import Path

import asyncpg
import pytest

RUNBOOK = Path(__file__).resolve().parents[2] / "docs" / "runbook.md"


@pytest.mark.asyncio
async def test_every_statement_of_the_runbook_runs(database: str) -> None:
    """Each SELECT, UPDATE and DELETE names tables and columns that there are."""
    statements = re.findall(r"`((?:SELECT|UPDATE|DELETE) [^`]+;)`", RUNBOOK.read_text())
    assert len(statements) > 3
    connection = await asyncpg.connect(database)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()

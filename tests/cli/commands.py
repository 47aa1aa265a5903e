"""Commands as somebody types them, in this process."""

from typer.testing import CliRunner

from services.cli.__main__ import COMMANDS, application


def run(*argv: str, columns: int = 80) -> str:
    """What a command prints that ends well; what it raises is raised here.

    columns: the width of the terminal
    """
    result = CliRunner().invoke(
        application(COMMANDS, [*argv]), argv, catch_exceptions=False, env={"COLUMNS": str(columns)}
    )
    assert result.exit_code == 0, result.output
    return result.output

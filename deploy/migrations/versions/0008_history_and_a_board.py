"""How far a replay of all leads is.

An old scorer goes on working: it does not know the table.
"""

from alembic import op

revision = "0008"
down_revision = "0005"
branch_labels = None
depends_on = None

_UP = """
-- `leadscore replay`: a walk through all leads in the order of their ids. points: sum of the differences
CREATE TABLE replays (
  replay_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  version      int         NOT NULL,
  only_checks  boolean     NOT NULL,
  reached      uuid        NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
  leads        bigint      NOT NULL DEFAULT 0,
  events       bigint      NOT NULL DEFAULT 0,
  different    bigint      NOT NULL DEFAULT 0,
  points       bigint      NOT NULL DEFAULT 0,
  started_at   timestamptz NOT NULL DEFAULT now(),
  finished_at  timestamptz
) WITH (fillfactor = 50)
"""


def upgrade() -> None:
    for statement in _UP.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE replays")

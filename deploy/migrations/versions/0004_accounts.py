"""Accounts: the people of one company together, with a score, a stage and a journal of their own.

Nothing here is on the path of an event but one statement that adds to `account_queue`, and that only under a
model that has accounts. One scorer at a time works the queue off.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_UP = """
-- kind, name: an account id that events gave, or the domain of business addresses; they make account_id
CREATE TABLE accounts (
  account_id     uuid        PRIMARY KEY,
  kind           text        NOT NULL CHECK (kind IN ('account_id', 'domain')),
  name           text        NOT NULL,
  people         int         NOT NULL DEFAULT 0,
  score          int         NOT NULL DEFAULT 0,
  active_people  int         NOT NULL DEFAULT 0,
  stage          text        NOT NULL DEFAULT 'none',
  since          timestamptz NOT NULL,
  sequence       int         NOT NULL DEFAULT 0,
  scored_at      timestamptz NOT NULL,
  due_at         timestamptz,
  model_version  int         NOT NULL,
  UNIQUE (kind, name)
) WITH (fillfactor = 75);
CREATE INDEX accounts_due ON accounts (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX accounts_by_version ON accounts (model_version);

CREATE TABLE account_members (
  lead_id      uuid        PRIMARY KEY,
  account_id   uuid        NOT NULL,
  last_act_at  timestamptz
);
CREATE INDEX account_members_by_account ON account_members (account_id);

CREATE TABLE account_transitions (
  account_id      uuid        NOT NULL,
  sequence        int         NOT NULL,
  previous_stage  text        NOT NULL,
  stage           text        NOT NULL,
  cause           text        NOT NULL CHECK (cause IN ('people', 'time', 'model')),
  at              timestamptz NOT NULL,
  score           int         NOT NULL,
  active_people   int         NOT NULL,
  model_version   int         NOT NULL,
  PRIMARY KEY (account_id, sequence)
);

-- noted: another number each time; who has worked a row off removes it only if the number is still the same
-- says:  an event said where the person belongs, or only the whole history can tell
CREATE TABLE account_queue (
  lead_id      uuid        PRIMARY KEY,
  says         boolean     NOT NULL,
  last_act_at  timestamptz,
  noted        bigserial   NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0)
"""


def upgrade() -> None:
    for statement in _UP.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE account_queue, account_transitions, account_members, accounts")

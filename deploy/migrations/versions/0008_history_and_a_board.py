"""How far a replay of all leads is; a board of leads for lists and searches, kept beside the path of events.

An old scorer goes on working: it does not know these tables. The board is filled by the walk that board_walk
begins with, as soon as a scorer of this revision runs.
"""

from alembic import op

revision = "0008"
down_revision = "0006"
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
) WITH (fillfactor = 50);

-- One row for each lead that has something to show. named: its names are there, too. owner: nobody yet.
-- words: the text in which it is searched. The index on the score is why this is no part of `leads`.
CREATE TABLE lead_board (
  lead_id       uuid        PRIMARY KEY,
  email         text        NOT NULL DEFAULT '',
  name          text        NOT NULL DEFAULT '',
  company       text        NOT NULL DEFAULT '',
  stage         text        NOT NULL,
  score         smallint    NOT NULL,
  grade         text        NOT NULL,
  dimensions    jsonb       NOT NULL,
  owner         text,
  first_source  text        NOT NULL DEFAULT '',
  last_source   text        NOT NULL DEFAULT '',
  ids           text[]      NOT NULL DEFAULT '{}',
  words         text        NOT NULL DEFAULT '',
  named         boolean     NOT NULL DEFAULT false,
  last_seen_at  timestamptz NOT NULL,
  scored_at     timestamptz NOT NULL
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX lead_board_best_of_stage ON lead_board (stage, score DESC, lead_id);
CREATE INDEX lead_board_best ON lead_board (score DESC, lead_id);

-- Apart from the board: names change seldom, and an index of grams is dear to write.
-- grams: of the words (shared/leads/names.py). Without fastupdate no search reads what waits to be indexed.
CREATE TABLE lead_grams (
  lead_id  uuid   PRIMARY KEY,
  grams    int[]  NOT NULL
);
CREATE INDEX lead_grams_by_gram ON lead_grams USING gin (grams) WITH (fastupdate = off);

-- How far the comparison of all leads with the board is; NULL: done.
CREATE TABLE board_walk (
  only_one  boolean PRIMARY KEY DEFAULT true CHECK (only_one),
  reached   uuid    DEFAULT '00000000-0000-0000-0000-000000000000'
);
INSERT INTO board_walk DEFAULT VALUES
"""


def upgrade() -> None:
    for statement in _UP.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE board_walk, lead_grams, lead_board, replays")

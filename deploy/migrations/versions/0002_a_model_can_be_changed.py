"""A model can be changed: who published what and when, leads scored anew, a shadow beside the active model.

Why these shapes: docs/decisions/0005. A version's content never changes; its state and `silent` do, and
`model_changes` keeps every change for ever.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_UP = """
-- silent: transitions that publishing this version causes are recorded and not delivered
ALTER TABLE scoring_models ADD COLUMN silent boolean NOT NULL DEFAULT false;
CREATE UNIQUE INDEX scoring_models_one_shadow ON scoring_models (state) WHERE state = 'shadow';

-- What was done with which version; tells which model was active at any time since the first.
CREATE TABLE model_changes (
  change_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  version    int         NOT NULL,
  action     text        NOT NULL
             CHECK (action IN ('drafted', 'shadowed', 'unshadowed', 'published', 'reverted')),
  silent     boolean,
  made_by    text        NOT NULL,
  note       text        NOT NULL,
  at         timestamptz NOT NULL DEFAULT now()
);

-- A walk through all leads in the order of their ids, because a version was published or put in the shadow.
CREATE TABLE rescores (
  rescore_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  version      int         NOT NULL,
  purpose      text        NOT NULL CHECK (purpose IN ('active', 'shadow')),
  reached      uuid        NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
  leads        bigint      NOT NULL DEFAULT 0,
  moved        bigint      NOT NULL DEFAULT 0,
  started_at   timestamptz NOT NULL DEFAULT now(),
  finished_at  timestamptz
) WITH (fillfactor = 50);
CREATE INDEX rescores_running ON rescores (rescore_id) WHERE finished_at IS NULL;

-- Where each lead would stand if the shadow model scored. Nothing is delivered from here.
CREATE TABLE shadow_leads (
  lead_id        uuid        PRIMARY KEY,
  model_version  int         NOT NULL,
  state          bytea       NOT NULL,
  ledger         bytea       NOT NULL,
  stage          text        NOT NULL,
  score          smallint    NOT NULL,
  grade          text        NOT NULL,
  dimensions     jsonb       NOT NULL,
  scored_at      timestamptz NOT NULL
) WITH (fillfactor = 75);

-- silent: caused by a publish that was to be silent, so the router has nothing to plan
ALTER TABLE transitions ADD COLUMN silent boolean NOT NULL DEFAULT false;

-- What scored before this revision was the first thing anybody published.
INSERT INTO model_changes (version, action, silent, made_by, note, at)
SELECT version, 'published', false, 'migration 0002', '', created_at
FROM scoring_models WHERE state = 'active'
"""

_DOWN = """
DROP TABLE shadow_leads, rescores, model_changes;
ALTER TABLE transitions DROP COLUMN silent;
DROP INDEX scoring_models_one_shadow;
ALTER TABLE scoring_models DROP COLUMN silent
"""


def upgrade() -> None:
    _execute(_UP)


def downgrade() -> None:
    _execute(_DOWN)


def _execute(statements: str) -> None:
    for statement in statements.split(";\n"):
        if statement.strip():
            op.execute(statement)

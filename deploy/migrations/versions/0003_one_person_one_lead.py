"""Identifiers have namespaces, a status and a past; conflicts and decisions about people are kept.

Why these shapes: docs/decisions/0007. What was stored before keeps working: identifiers without a namespace
(NULL) are of before, and releases of before go on writing such rows while both run.
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_UP = """
-- namespace: of a user id; NULL: stored before there were namespaces
-- status: reserved: known from alias calls only; shared: a device of many people; suspended: it tied a crowd
-- recent: whom a device served today, or how much an identifier tied together within the hour
ALTER TABLE identities
  ADD COLUMN namespace text,
  ADD COLUMN status text NOT NULL DEFAULT 'in_use'
    CHECK (status IN ('in_use', 'reserved', 'shared', 'suspended')),
  ADD COLUMN recent jsonb;
-- Room on each page: when somebody becomes known on a device its row changes, and no index with it.
ALTER TABLE identities SET (fillfactor = 80);
CREATE INDEX identities_set_aside ON identities (status) WHERE status IN ('shared', 'suspended');

-- namespaces: in which the lead has a user id, by comma; marks: decisions that keep it apart from other leads
ALTER TABLE leads
  ADD COLUMN namespaces text NOT NULL DEFAULT '',
  ADD COLUMN marks text NOT NULL DEFAULT '';

-- The namespaces in which somebody has a user id: where an id is looked up that comes without one.
CREATE TABLE identity_namespaces (namespace text PRIMARY KEY);

-- Two identifiers that one event named, and that stayed with two people. at: of the earliest such event.
CREATE TABLE identity_conflicts (
  one_kind         text        NOT NULL,
  one_value        bytea       NOT NULL,
  one_namespace    text        NOT NULL,
  other_kind       text        NOT NULL,
  other_value      bytea       NOT NULL,
  other_namespace  text        NOT NULL,
  reason           text        NOT NULL
                   CHECK (reason IN ('two_user_ids', 'too_many_addresses', 'kept_apart', 'alias')),
  event_id         uuid        NOT NULL,
  at               timestamptz NOT NULL,
  noticed_at       timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (one_kind, one_value, other_kind, other_value)
);
CREATE INDEX identity_conflicts_other ON identity_conflicts (other_kind, other_value);

-- What somebody decided about two people. members: the hashes of both sides, to find it by any of them.
CREATE TABLE identity_decisions (
  decision_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  verdict      text        NOT NULL CHECK (verdict IN ('one', 'apart')),
  one          jsonb       NOT NULL,
  other        jsonb       NOT NULL,
  members      bytea[]     NOT NULL,
  made_by      text        NOT NULL,
  at           timestamptz NOT NULL DEFAULT now(),
  undone_at    timestamptz
);
CREATE INDEX identity_decisions_members ON identity_decisions USING gin (members);

-- Leads to be grouped anew from their history: late evidence, alias calls. Done right after the batch.
CREATE TABLE regroups (
  regroup_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  leads         uuid[]      NOT NULL,
  requested_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX lead_merges_by_loser ON lead_merges (loser);

-- other_leads: of cause unmerged: the leads that were one with this one
ALTER TABLE transitions ADD COLUMN other_leads uuid[] NOT NULL DEFAULT '{}'
"""

_DOWN = """
ALTER TABLE transitions DROP COLUMN other_leads;
DROP INDEX lead_merges_by_loser;
DROP TABLE regroups, identity_decisions, identity_conflicts, identity_namespaces;
ALTER TABLE leads DROP COLUMN namespaces, DROP COLUMN marks;
DROP INDEX identities_set_aside;
ALTER TABLE identities RESET (fillfactor);
ALTER TABLE identities DROP COLUMN namespace, DROP COLUMN status, DROP COLUMN recent
"""


def upgrade() -> None:
    _execute(_UP)


def downgrade() -> None:
    _execute(_DOWN)


def _execute(statements: str) -> None:
    for statement in statements.split(";\n"):
        if statement.strip():
            op.execute(statement)

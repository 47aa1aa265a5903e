"""Verdicts of the judge with their signals, recent clicks by domain, and what a correction took back.

Why these shapes: docs/decisions/0009. A scorer of before goes on: it neither reads nor writes the new tables,
and a transition without `corrected` is one that took nothing back.
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_UP = """
-- Why the judge thinks that a machine did it. occurred_at: of the event; lead_id: merges followed.
CREATE TABLE event_verdicts (
  event_id     uuid        PRIMARY KEY,
  lead_id      uuid        NOT NULL,
  occurred_at  timestamptz NOT NULL,
  reason       text        NOT NULL,
  signals      text[]      NOT NULL,
  judged_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX event_verdicts_by_lead ON event_verdicts (lead_id);

-- Clicks in e-mails to business addresses. domain, recipient: keyed hashes. looked: after its batch somebody
-- looked for neighbours. crowded: several recipients of its domain clicked in the same seconds.
CREATE TABLE domain_clicks (
  event_id     uuid        PRIMARY KEY,
  domain       bytea       NOT NULL,
  recipient    bytea       NOT NULL,
  lead_id      uuid        NOT NULL,
  at           timestamptz NOT NULL,
  looked       boolean     NOT NULL DEFAULT false,
  crowded      boolean     NOT NULL DEFAULT false,
  noted_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX domain_clicks_by_domain ON domain_clicks (domain, at);
CREATE INDEX domain_clicks_to_look ON domain_clicks (noted_at) WHERE NOT looked;

-- corrected: of cause corrected: why the events that were taken back do not count
ALTER TABLE transitions ADD COLUMN corrected text[] NOT NULL DEFAULT '{}'
"""


def upgrade() -> None:
    for statement in _UP.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    op.execute("ALTER TABLE transitions DROP COLUMN corrected")
    op.execute("DROP TABLE domain_clicks, event_verdicts")

"""What `leadscore reconcile` needs to know: whom a transition was planned for, later changes of quarantine.

The books in partition_offsets say what a record became when it was taken, and stay so. Who sets rows of
events against them has to know which events were quarantined or released since: quarantine_changes has each.
Devices that were split before this revision are not in it, so that the books may differ by their events.
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_UP = """
-- planned_for: destinations that have a delivery; NULL: not planned yet, silent, or planned before 0005
ALTER TABLE transitions ADD COLUMN planned_for text[];

-- An event that was quarantined or released after it was taken. reason_before, reason: NULL where it counts.
CREATE TABLE quarantine_changes (
  change_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  event_id       uuid        NOT NULL,
  received_at    timestamptz NOT NULL,
  reason_before  text,
  reason         text,
  made_by        text        NOT NULL,
  note           text        NOT NULL,
  at             timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX quarantine_changes_by_event ON quarantine_changes (event_id)
"""


def upgrade() -> None:
    for statement in _UP.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE quarantine_changes")
    op.execute("ALTER TABLE transitions DROP COLUMN planned_for")

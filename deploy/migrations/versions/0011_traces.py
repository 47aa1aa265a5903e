"""The trace of what caused a transition goes on in its deliveries.

Empty where nothing is traced, which is nearly always; processes of before need not know the columns.
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE transitions ADD COLUMN traceparent text")
    op.execute("ALTER TABLE deliveries ADD COLUMN traceparent text")


def downgrade() -> None:
    op.execute("ALTER TABLE deliveries DROP COLUMN traceparent")
    op.execute("ALTER TABLE transitions DROP COLUMN traceparent")

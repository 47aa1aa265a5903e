"""What is kept for how long, what was sent again, and under which keys identifiers are hashed.

Why these shapes: docs/decisions/0011. A scorer of before goes on, and forgets nobody.
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# reached: leads up to this one have been looked at; counted, quarantined: events that are gone, for the books
_MONTHS = """
CREATE TABLE forgotten_months (
  month         date        PRIMARY KEY,
  reached       uuid        NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
  leads         bigint      NOT NULL DEFAULT 0,
  counted       bigint      NOT NULL DEFAULT 0,
  quarantined   bigint      NOT NULL DEFAULT 0,
  finished_at   timestamptz
)
"""
# fingerprint: of the keys under which identifiers are hashed; written by the first scorer that has them
_KEYS = """
CREATE TABLE identity_keys (
  only_one     boolean     PRIMARY KEY DEFAULT true CHECK (only_one),
  fingerprint  bytea       NOT NULL,
  since        timestamptz NOT NULL DEFAULT now()
)
"""
_WITH_BODY = """
CREATE INDEX CONCURRENTLY deliveries_with_body ON deliveries (finished_at)
WHERE state IN ('delivered', 'superseded') AND body <> ''
"""
_DEAD = (
    "CREATE INDEX CONCURRENTLY deliveries_dead ON deliveries (destination, created_at) WHERE state = 'dead'"
)
# retried_at: when somebody had a dead delivery sent again, which may overtake or be overtaken
_RETRIED = "ALTER TABLE deliveries ADD COLUMN retried_at timestamptz"


def upgrade() -> None:
    # Without a lock on a table that routers write to, which no transaction can do. First, so that an
    # interrupted migration can be begun again.
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")  # it waits for every transaction of before, also a plan's
        for name, create in (("deliveries_with_body", _WITH_BODY), ("deliveries_dead", _DEAD)):
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(create)
        op.execute("SET lock_timeout = '2s'")
    op.execute(_MONTHS)
    op.execute(_RETRIED)
    op.execute(_KEYS)


def downgrade() -> None:
    op.execute("ALTER TABLE deliveries DROP COLUMN retried_at")
    op.execute("DROP INDEX deliveries_with_body, deliveries_dead")
    op.execute("DROP TABLE forgotten_months, identity_keys")

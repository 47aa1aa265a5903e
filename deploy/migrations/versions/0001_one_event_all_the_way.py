"""Leads, identities, events, transitions and deliveries: the tables one event passes through.

Why these shapes: docs/decisions/0003 (offsets in Postgres), 0004 (transitions as outbox), and
docs/architecture.md for the drawing. Rules kept throughout: no foreign keys on hot tables (they take
locks on every write), and no index on a column of `leads` that changes with each event (it would end
HOT updates; measured: from 100 % to 0 %, +50 % CPU).
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TABLES = """
-- Offsets live here and not in Kafka: the first statement of each batch moves this row, or nothing happens.
-- The tallies make the promise of conservation checkable:
-- next_offset = started_at_offset + counted + duplicate + quarantined + dead_lettered, always.
CREATE TABLE partition_offsets (
  consumer_group     text        NOT NULL,
  topic              text        NOT NULL,
  partition          int         NOT NULL,
  epoch              bigint      NOT NULL,
  generation         bigint      NOT NULL,
  owner              text        NOT NULL,
  started_at_offset  bigint      NOT NULL,
  next_offset        bigint      NOT NULL,
  counted            bigint      NOT NULL DEFAULT 0,
  duplicate          bigint      NOT NULL DEFAULT 0,
  quarantined        bigint      NOT NULL DEFAULT 0,
  dead_lettered      bigint      NOT NULL DEFAULT 0,
  touched_at         timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (consumer_group, topic, partition)
) WITH (fillfactor = 50);

CREATE TABLE scoring_models (
  version     int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  sha256      text        NOT NULL UNIQUE,
  name        text        NOT NULL,
  content     text        NOT NULL,
  lists       jsonb       NOT NULL,
  state       text        NOT NULL CHECK (state IN ('draft', 'shadow', 'active', 'retired')),
  created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX scoring_models_one_active ON scoring_models (state) WHERE state = 'active';

CREATE TABLE leads (
  lead_id        uuid        PRIMARY KEY,
  merged_into    uuid,
  known          boolean     NOT NULL DEFAULT false,
  first_seen_at  timestamptz NOT NULL,
  last_seen_at   timestamptz NOT NULL,
  event_count    bigint      NOT NULL DEFAULT 0,
  user_ids       int         NOT NULL DEFAULT 0,
  emails         int         NOT NULL DEFAULT 0,
  anonymous_ids  int         NOT NULL DEFAULT 0,
  state          bytea       NOT NULL,
  ledger         bytea       NOT NULL,
  stage          text        NOT NULL,
  stage_since    timestamptz NOT NULL,
  score          smallint    NOT NULL,
  grade          text        NOT NULL,
  dimensions     jsonb       NOT NULL,
  scored_at      timestamptz NOT NULL,
  due_at         timestamptz,
  model_version  int         NOT NULL
) WITH (fillfactor = 75, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX leads_merged ON leads (merged_into) WHERE merged_into IS NOT NULL;

CREATE TABLE identities (
  kind      text        NOT NULL CHECK (kind IN ('user_id', 'email', 'anonymous_id')),
  value     bytea       NOT NULL,
  lead_id   uuid        NOT NULL,
  first_at  timestamptz NOT NULL,
  PRIMARY KEY (kind, value)
);
CREATE INDEX identities_by_lead ON identities (lead_id);

-- History and dedupe in one: an event counted is an event with a row. `lead_id` stays what it was when
-- written; readers resolve it through leads.merged_into.
CREATE TABLE events (
  event_id     uuid        NOT NULL,
  received_at  timestamptz NOT NULL,
  occurred_at  timestamptz NOT NULL,
  lead_id      uuid        NOT NULL,
  source       text        NOT NULL,
  name         text        NOT NULL,
  quarantine   text,
  body         bytea       NOT NULL,
  PRIMARY KEY (event_id, received_at)
) PARTITION BY RANGE (received_at);
CREATE INDEX events_by_lead ON events (lead_id, occurred_at);
CREATE TABLE events_other PARTITION OF events DEFAULT;

CREATE TABLE lead_due (
  lead_id  uuid        PRIMARY KEY,
  due_at   timestamptz NOT NULL
);
CREATE INDEX lead_due_by_time ON lead_due (due_at);

CREATE TABLE lead_merges (
  merge_id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  winner            uuid        NOT NULL,
  loser             uuid        NOT NULL,
  cause_event       uuid        NOT NULL,
  loser_row         jsonb       NOT NULL,
  moved_identities  jsonb       NOT NULL,
  at                timestamptz NOT NULL DEFAULT now(),
  undone_at         timestamptz
);
CREATE INDEX lead_merges_by_winner ON lead_merges (winner);

-- The outbox: written in the transaction that changed the stage, planned by the router afterwards.
CREATE TABLE transitions (
  transition_id   uuid        PRIMARY KEY,
  lead_id         uuid        NOT NULL,
  sequence        int         NOT NULL,
  previous_stage  text        NOT NULL,
  stage           text        NOT NULL,
  cause           text        NOT NULL,
  cause_event     uuid,
  at              timestamptz NOT NULL,
  score           smallint    NOT NULL,
  grade           text        NOT NULL,
  dimensions      jsonb       NOT NULL,
  receipts        jsonb       NOT NULL,
  person          jsonb       NOT NULL,
  attribution     jsonb       NOT NULL,
  consent         jsonb,
  model_version   int         NOT NULL,
  event_received_at timestamptz,
  recorded_at     timestamptz NOT NULL DEFAULT now(),
  planned_at      timestamptz,
  UNIQUE (lead_id, sequence)
);
CREATE INDEX transitions_to_plan ON transitions (recorded_at) WHERE planned_at IS NULL;

CREATE TABLE destinations (
  destination    text        PRIMARY KEY,
  breaker        text        NOT NULL DEFAULT 'closed' CHECK (breaker IN ('closed', 'open', 'half_open')),
  open_until     timestamptz,
  failing_since  timestamptz,
  failures       int         NOT NULL DEFAULT 0,
  trips          int         NOT NULL DEFAULT 0,
  disabled_at    timestamptz,
  disabled_why   text
);

CREATE TABLE deliveries (
  delivery_id    uuid        PRIMARY KEY,
  destination    text        NOT NULL,
  transition_id  uuid        NOT NULL,
  lead_id        uuid        NOT NULL,
  sequence       int         NOT NULL,
  kind           text        NOT NULL CHECK (kind IN ('every', 'latest')),
  body           bytea       NOT NULL,
  state          text        NOT NULL DEFAULT 'pending'
                 CHECK (state IN ('pending', 'claimed', 'delivered', 'dead', 'superseded')),
  attempt        int         NOT NULL DEFAULT 0,
  next_at        timestamptz NOT NULL DEFAULT now(),
  claim          uuid,
  lease_until    timestamptz,
  last_status    int,
  last_error     text,
  event_received_at timestamptz,
  created_at     timestamptz NOT NULL DEFAULT now(),
  finished_at    timestamptz
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX deliveries_ready ON deliveries (destination, next_at) WHERE state = 'pending';
CREATE INDEX deliveries_head_of_line ON deliveries (destination, lead_id, sequence)
  WHERE state IN ('pending', 'claimed');
CREATE INDEX deliveries_leased ON deliveries (lease_until) WHERE state = 'claimed';
CREATE INDEX deliveries_by_transition ON deliveries (transition_id);

CREATE TABLE dead_letters (
  dead_letter_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  topic           text        NOT NULL,
  partition       int         NOT NULL,
  record_offset   bigint      NOT NULL,
  code            text        NOT NULL,
  message         text        NOT NULL,
  key             bytea       NOT NULL,
  value           bytea       NOT NULL,
  headers         jsonb       NOT NULL,
  at              timestamptz NOT NULL DEFAULT now(),
  resolved_at     timestamptz,
  UNIQUE (topic, partition, record_offset)
);
"""

# A month before it is needed by received_at, and callable again at any time (the scorer does, daily).
# Rows that a jumping clock put into events_other stay there: attaching their month would scan it.
_ENSURE_PARTITIONS = """
CREATE FUNCTION ensure_event_partitions(months_ahead int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  first_day date;
  made int := 0;
BEGIN
  FOR i IN 0..months_ahead LOOP
    first_day := (date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => i))::date;
    IF to_regclass(format('events_%s', to_char(first_day, 'YYYY_MM'))) IS NULL THEN
      BEGIN
        EXECUTE format(
          'CREATE TABLE IF NOT EXISTS %I PARTITION OF events FOR VALUES FROM (%L) TO (%L)',
          format('events_%s', to_char(first_day, 'YYYY_MM')),
          to_char(first_day, 'YYYY-MM-DD') || 'T00:00:00Z',
          to_char(first_day + interval '1 month', 'YYYY-MM-DD') || 'T00:00:00Z');
        made := made + 1;
      EXCEPTION WHEN check_violation OR duplicate_table OR unique_violation THEN
        -- Rows of that month are in events_other already, or another scorer makes it at this moment.
        RAISE WARNING 'no partition made for %: %', first_day, SQLERRM;
      END;
    END IF;
  END LOOP;
  RETURN made;
END $$;
"""


def upgrade() -> None:
    for statement in _TABLES.split(";\n"):
        if statement.strip():
            op.execute(statement)
    op.execute(_ENSURE_PARTITIONS)
    op.execute("SELECT ensure_event_partitions(3)")


def downgrade() -> None:
    op.execute("DROP FUNCTION ensure_event_partitions")
    op.execute(
        "DROP TABLE dead_letters, deliveries, destinations, transitions, lead_merges, lead_due, events, "
        "identities, leads, scoring_models, partition_offsets"
    )

"""Every metric of the scorer. Labels are closed sets; never a lead, an address or a rule's text."""

from collections.abc import Sequence
from dataclasses import asdict

from prometheus_client import Counter, Gauge, Histogram

from services.scorer.judge.signals import REASONS
from services.scorer.report import Report
from shared.scoring.engine.accounts import AccountTransition

_LATENCY_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 60)

EVENTS = Counter(
    "leadscore_scorer_events_total",
    "Records taken from Kafka and committed, by what became of them.",
    ["result"],
)
for _result in ("counted", "duplicate", "quarantined", "dead_lettered"):
    EVENTS.labels(result=_result)

QUARANTINED = Counter(
    "leadscore_scorer_quarantined_events_total",
    "Events that were taken and do not count, by why.",
    ["reason"],
)
_MARKS = ("apple_privacy", "user_agent", "webdriver", "honeypot")
_OF_NOBODY = ("nobody", "shared_device", "suspended_identifier")
_REASONS = frozenset({*REASONS, *_MARKS, *_OF_NOBODY})
for _quarantined in sorted({*_REASONS, "other"}):
    QUARANTINED.labels(reason=_quarantined)

CORRECTED = Counter(
    "leadscore_scorer_corrected_events_total",
    "Stored events of which something that came later says that they count no more, or again.",
    ["change"],
)
for _change in ("taken_back", "released"):
    CORRECTED.labels(change=_change)

BATCH_SECONDS = Histogram(
    "leadscore_scorer_batch_seconds",
    "One transaction of a batch, over all partitions polled.",
    buckets=_LATENCY_S,
)
BATCH_EVENTS = Histogram(
    "leadscore_scorer_batch_events",
    "Records in one transaction.",
    buckets=(1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000),
)
EVENT_TO_SCORE_SECONDS = Histogram(
    "leadscore_scorer_event_to_score_seconds",
    "From ingest receiving an event until its score is committed.",
    buckets=_LATENCY_S,
)
TRANSITIONS = Counter(
    "leadscore_scorer_transitions_total", "Stage transitions written.", ["previous_stage", "stage"]
)
REFOLDS = Counter(
    "leadscore_scorer_refolds_total", "Leads computed anew from their history, by why.", ["reason"]
)
for _reason in ("late_event", "merge", "correction", "other_model"):
    REFOLDS.labels(reason=_reason)

MERGES = Counter("leadscore_scorer_merges_total", "Leads found to be one person, by outcome.", ["result"])
for _merge in ("merged", "refused"):
    MERGES.labels(result=_merge)

SET_ASIDE = Counter(
    "leadscore_scorer_identifiers_set_aside_total",
    "Identifiers not believed any more: suspended (tied a crowd) or shared (a device of many people).",
    ["status"],
)
for _status in ("suspended", "shared"):
    SET_ASIDE.labels(status=_status)

REGROUPS = Counter(
    "leadscore_scorer_regroups_total",
    "Leads grouped anew from their history because evidence came late, by outcome.",
    ["result"],
)
for _regroup in ("changed", "unchanged", "too_large", "broke"):
    REGROUPS.labels(result=_regroup)

RETRIES = Counter(
    "leadscore_scorer_batch_retries_total", "Batches rolled back and tried again, by why.", ["reason"]
)
for _retry in ("postgres", "identity_race", "fenced"):
    RETRIES.labels(reason=_retry)

DEAD_LETTERS = Counter(
    "leadscore_scorer_dead_letters_total",
    "Records that could not be processed, kept with their bytes.",
    ["code"],
)
UNRESOLVED_DEAD_LETTERS = Gauge(
    "leadscore_scorer_unresolved_dead_letters",
    "Dead letters that nobody has sent again yet; counted up to 10,000. Every scorer shows the same.",
)
BOOKED = ("taken", "counted", "duplicate", "quarantined", "dead_lettered")
BOOKS_RECORDS = Gauge(
    "leadscore_scorer_books_records",
    "Records taken from Kafka since the first, and what became of them, by the books in Postgres. "
    "Every scorer shows the same.",
    ["result"],
)
BOOKS_UNBALANCED = Gauge(
    "leadscore_scorer_books_unbalanced_records",
    "Records taken of which the books do not say what became, or too many times: promise P6, must be 0.",
)
HALTED = Gauge(
    "leadscore_scorer_halted_partitions", "Partitions stopped for too much poison or a missing range."
)
LAG_RECORDS = Gauge(
    "leadscore_scorer_lag_records", "Records in Kafka that are not committed yet.", ["partition"]
)
LAG_SECONDS = Gauge(
    "leadscore_scorer_lag_seconds", "Age of the last committed record, 0 when caught up.", ["partition"]
)
RESCORED = Counter(
    "leadscore_scorer_rescored_leads_total",
    "Leads scored anew because a version was published (active) or put in the shadow.",
    ["purpose"],
)
for _purpose in ("active", "shadow"):
    RESCORED.labels(purpose=_purpose)

SWEPT = Counter("leadscore_scorer_swept_leads_total", "Leads looked at because their stage was due.")
SWEEP_LAG_SECONDS = Gauge(
    "leadscore_scorer_sweep_lag_seconds", "How long the oldest due lead has been waiting."
)
ACCOUNT_LOOKS = Counter("leadscore_scorer_account_looks_total", "Accounts worked out anew from their people.")
ACCOUNT_TRANSITIONS = Counter(
    "leadscore_scorer_account_transitions_total",
    "Stage transitions of accounts written.",
    ["previous_stage", "stage"],
)
ACCOUNT_WAITING_LEADS = Gauge(
    "leadscore_scorer_account_waiting_leads",
    "Changed leads whose account has not looked at them yet; counted up to 10,000.",
)
BOARD_WAITING_LEADS = Gauge(
    "leadscore_scorer_board_waiting_leads", "Leads of this process that lists do not show as they are yet."
)
EVENT_MONTHS_AHEAD = Gauge(
    "leadscore_scorer_event_months_ahead",
    "Months after this one for which `events` has a partition, without a gap; -1: not even for this one. "
    "Every scorer shows the same.",
)
OLDEST_SNAPSHOT_SECONDS = Gauge(
    "leadscore_scorer_oldest_snapshot_seconds",
    "Age of the oldest transaction in our database that keeps old rows from being cleaned up.",
)
FORGOTTEN = Counter(
    "leadscore_scorer_forgotten_leads_total", "Visitors whom nobody knew, forgotten after their time."
)
MODEL_INFO = Gauge("leadscore_scorer_model_info", "Always 1; says which model scores.", ["model", "version"])


def forget_lag(partition: int) -> None:
    """Say no more of a partition that is not ours: its next owner does."""
    for lag in (LAG_RECORDS, LAG_SECONDS):
        lag.remove(str(partition))


def note(report: Report) -> None:
    """Count what a committed batch did."""
    for tally in report.tallies.values():
        for result, number in asdict(tally).items():
            EVENTS.labels(result=result).inc(number)
    for why, number in report.quarantined.items():
        QUARANTINED.labels(reason=why if why in _REASONS else "other").inc(number)
    for change, number in report.changed.items():
        CORRECTED.labels(change=change).inc(number)
    for previous_stage, stage in report.passed:
        TRANSITIONS.labels(previous_stage=previous_stage, stage=stage).inc()
    for reason in report.refolded:
        REFOLDS.labels(reason=reason).inc()
    MERGES.labels(result="merged").inc(report.merged)
    MERGES.labels(result="refused").inc(report.refused)
    if report.regrouped:
        REGROUPS.labels(result=report.regrouped).inc()
    for status, identifiers in (("suspended", report.suspended), ("shared", report.shared)):
        SET_ASIDE.labels(status=status).inc(len(identifiers))


def note_accounts(moves: Sequence[AccountTransition | None]) -> None:
    """Count looks at accounts, each with the move that it led to or None."""
    ACCOUNT_LOOKS.inc(len(moves))
    for move in moves:
        if move:
            ACCOUNT_TRANSITIONS.labels(previous_stage=move.previous_stage, stage=move.stage).inc()

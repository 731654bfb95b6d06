"""What is wrong with a resource when its metrics say so. Pure.

In an expression `$pods` stands for the labels of the resource's metrics, `$owner` for those of its recorded series.
docs/operations.md has a section on each alert; tests/support/alert_cases.py has series under which it fires.
"""

from string import Template
from typing import Final, NamedTuple

from whisper_contract.surface import AuditLoss, HandoffOutcome, Metric

RUNBOOK: Final = "docs/operations.md"
"""Has a section of each alert's name."""


class Alert(NamedTuple):
    """A rule that tells somebody."""

    name: str
    expression: str
    minutes: int
    """How long it must have been so."""
    severity: str
    """`critical`: somebody is called; `warning`: to be looked at the same day; `info`: when there is time."""
    summary: str


class Record(NamedTuple):
    """A rule that keeps a series: windows of days are too many samples to be read each minute."""

    name: str
    expression: str


class _Objective(NamedTuple):
    """What is promised of the answers of thirty days, as Google's workbook measures it.

    https://sre.google/workbook/alerting-on-slos/
    """

    all: str
    """Counts answers; `$function` is applied to `$window` of them."""
    bad: str
    """Counts those that are not as promised."""
    recorded: str
    """Begins the names of the recorded series."""
    budget: float
    """The share that may be bad."""


_AVAILABILITY: Final = _Objective(
    all=f"sum($function({Metric.REQUESTS}{{$pods}}[$window]))",
    bad=f'sum($function({Metric.REQUESTS}{{$pods,status=~"5.."}}[$window]))',
    recorded="whisperdeployment:whisper_requests",
    budget=0.005,
)
_SPEED: Final = _Objective(
    all=f"sum($function({Metric.REAL_TIME_FACTOR}_count{{$pods}}[$window]))",
    bad=f"sum($function({Metric.REAL_TIME_FACTOR}_count{{$pods}}[$window]))"
    f' - sum($function({Metric.REAL_TIME_FACTOR}_bucket{{$pods,le="1.0"}}[$window]))',
    recorded="whisperdeployment:whisper_transcripts",
    budget=0.05,
)
_RECORDED_WINDOW: Final = "5m"
_FEWEST: Final = 10
"""Fewer bad answers than these call nobody: of a handful of answers any share is chance."""


def _count(answers: str, function: str, window: str) -> str:
    return Template(answers).safe_substitute(function=function, window=window)


def _records(objective: _Objective) -> tuple[Record, Record]:
    every = _count(objective.all, "rate", _RECORDED_WINDOW)
    bad = _count(objective.bad, "rate", _RECORDED_WINDOW)
    return (
        Record(f"{objective.recorded}:rate5m", every),
        # A counter of failures that has never counted is not there: that is none, and not unknown.
        Record(f"{objective.recorded}_bad:rate5m", f"({bad}) or 0 * {every}"),
    )


RECORDS: Final = (*_records(_AVAILABILITY), *_records(_SPEED))


def _burns(objective: _Objective, *windows: tuple[float, str, str]) -> str:
    """Say that the budget burns so many times too fast over a long window, and still does over a short one."""
    return " or ".join(
        f"({_share(objective, long)} > {factor * objective.budget:g}"
        f" and {_share(objective, short)} > {factor * objective.budget:g}"
        f" and on () ({_count(objective.bad, 'increase', long)} > {_FEWEST}))"
        for factor, long, short in windows
    )


def _share(objective: _Objective, window: str) -> str:
    names = (f"{objective.recorded}{suffix}:rate5m{{$owner}}" for suffix in ("_bad", ""))
    return " / ".join(name if window == _RECORDED_WINDOW else f"sum_over_time({name}[{window}])" for name in names)


_FAST: Final = ((14.4, "1h", "5m"), (6.0, "6h", "30m"))
"""Two per cent of thirty days' budget in an hour, or five in six hours."""
_SLOW: Final = ((1.0, "3d", "6h"),)
"""Ten per cent in three days: at this rate nothing is left at the end."""

_ELSEWHERE: Final = f"{HandoffOutcome.ANSWERED}|{HandoffOutcome.REFUSED}"
"""Full queues that no client was told of: another pod answered, or was full itself and the next one was asked."""
_LOST: Final = "|".join(AuditLoss)
_SILENCE: Final = "no_voice|no_speech"
"""Reasons of the guard that say something of the sound, and nothing of the model."""
_WEEK_SECONDS: Final = 7 * 24 * 3600

ALERTS: Final = (
    Alert("WhisperDown", "absent(up{$pods} == 1)", 5, "critical", "No pod of the resource answers."),
    Alert(
        "WhisperErrorBudgetBurns",
        _burns(_AVAILABILITY, *_FAST),
        2,
        "critical",
        "So many requests fail that the budget of thirty days, 0.5 % of them, is used up within days.",
    ),
    Alert(
        "WhisperErrorBudgetShrinks",
        _burns(_AVAILABILITY, *_SLOW),
        60,
        "warning",
        "More than 0.5 % of the requests of three days have failed.",
    ),
    Alert(
        "WhisperSpeedBudgetBurns",
        _burns(_SPEED, *_FAST),
        2,
        "critical",
        "So many transcripts take longer than their audio that the budget of thirty days, 5 %, is used up within days.",
    ),
    Alert(
        "WhisperSpeedBudgetShrinks",
        _burns(_SPEED, *_SLOW),
        60,
        "warning",
        "More than 5 % of the transcripts of three days have taken longer than their audio.",
    ),
    Alert(
        "WhisperOverloaded",
        # Most of those that met a full queue are answered by another pod; this many are not.
        f'1 - sum(rate({Metric.HANDOFFS}{{$pods,outcome=~"{_ELSEWHERE}"}}[5m]))'
        f" / sum(rate({Metric.OVERLOADS}{{$pods}}[5m])) > 0.05",
        10,
        "warning",
        "Requests are refused because the queue is full.",
    ),
    Alert(
        "WhisperQueueOld",
        f"max({Metric.QUEUE_AGE}{{$pods}}) > 30",
        10,
        "warning",
        "Audio waits for more than 30 seconds.",
    ),
    Alert(
        "WhisperStreamsFull",
        f"sum({Metric.STREAM_SLOTS_FREE}{{$pods}}) == 0 and sum({Metric.STREAMS}{{$pods}}) > 0",
        5,
        "warning",
        "No pod has room for another stream of live speech.",
    ),
    Alert(
        "WhisperStreamsLate",
        f"histogram_quantile(0.95, sum by (le) (rate({Metric.STREAM_LAG}_bucket{{$pods}}[5m]))) > 2",
        10,
        "warning",
        "Text of live speech comes more than 2 seconds late.",
    ),
    Alert(
        "WhisperErrors",
        f'sum(rate({Metric.REQUESTS}{{$pods,status=~"5..",status!="503"}}[5m]))'
        f" > 0.01 * sum(rate({Metric.REQUESTS}{{$pods}}[5m]))",
        10,
        "warning",
        "More than 1 % of the requests fail in the server.",
    ),
    Alert(
        "WhisperSlow",
        f"histogram_quantile(0.9, sum by (le) (rate({Metric.REAL_TIME_FACTOR}_bucket{{$pods}}[10m]))) > 1",
        15,
        "warning",
        "One transcript in ten takes longer than its audio.",
    ),
    Alert(
        "WhisperTextWithheld",
        f'60 * sum(rate({Metric.GUARD_DROPS}{{$pods,reason!~"{_SILENCE}"}}[30m]))'
        f" / sum(rate({Metric.AUDIO}{{$pods}}[30m])) > 0.5",
        30,
        "warning",
        "The guard withholds more than one span as invented from two minutes of audio.",
    ),
    Alert(
        "WhisperSessionsDown",
        f"min({Metric.SESSION_STORE_UP}{{$pods}}) == 0",
        5,
        "warning",
        "A pod does not reach Redis: nobody can log in there.",
    ),
    Alert(
        "WhisperJobsWait",
        f"max({Metric.JOB_QUEUE_AGE}{{$pods}}) > 1800",
        15,
        "warning",
        "The first job has waited for more than half an hour.",
    ),
    Alert(
        "WhisperSessionsRefused",
        f"sum by (reason) (rate({Metric.STORE_REFUSALS}{{$pods}}[5m])) > 0",
        5,
        "warning",
        "Redis answers and does not do what it is asked: it is full, a copy, or forbids it.",
    ),
    Alert(
        "WhisperPasswordsOutdated",
        f"max({Metric.OUTDATED_PASSWORDS}{{$pods}}) > 0",
        60,
        "info",
        "Accounts have a password that was hashed at another cost than the settings ask for.",
    ),
    Alert(
        "WhisperAuditLost",
        f'sum by (sink) (increase({Metric.AUDIT_EVENTS}{{$pods,outcome=~"{_LOST}"}}[15m])) > 0',
        1,
        "critical",
        "Events of the audit do not reach where they are to be kept.",
    ),
    Alert(
        "WhisperCertificateEnds",
        # Renewals are due when a third is left, however long a certificate lasts.
        f"min by (certificate) (({Metric.TLS_EXPIRY}{{$pods}} - time()) / {Metric.TLS_LIFETIME}{{$pods}}) < 0.2",
        60,
        "warning",
        "A TLS certificate has less than a fifth of its time left: it was not renewed.",
    ),
    Alert(
        "WhisperKeyEnds",
        f"min({Metric.KEY_EXPIRY}{{$pods}}) - time() < {_WEEK_SECONDS}",
        60,
        "warning",
        "An API key ends within a week, and its owner has no other.",
    ),
)

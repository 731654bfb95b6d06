"""For each alert, series under which it fires and others, close to them, under which it does not.

In promtool's notation, a sample a minute: `0+6x30` is 0, 6, and so on to 180.
https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/#series
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

Series: TypeAlias = dict[str, str]
"""By name and labels; `$pods` stands for those of the resource's metrics."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """How a trouble comes and goes."""

    sick: Series
    begins: int
    """The first minute in which it can be seen: the alert fires after its `for`, and not a minute before."""
    ends: int
    """A minute in which the alert does not fire any more."""
    well: tuple[Series, ...]
    """It does not fire in any minute of these."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Those that come from the series."""
    summary: str | None = None
    """Where it is made of labels."""


def _answers(good: str, bad: str, status: str = "500") -> Series:
    return {
        'whisper_requests_total{$pods,route="/v1/audio/transcriptions",status="200"}': good,
        f'whisper_requests_total{{$pods,route="/v1/audio/transcriptions",status="{status}"}}': bad,
    }


def _buckets(metric: str, every: str, bound: str, up_to: str) -> Series:
    """All that was measured lies under twice the bound; this much of it under the bound."""
    return {
        f'{metric}_bucket{{$pods,le="{bound}"}}': up_to,
        f'{metric}_bucket{{$pods,le="{float(bound) * 2}"}}': every,
        f'{metric}_bucket{{$pods,le="+Inf"}}': every,
        f"{metric}_count{{$pods}}": every,
    }


def _transcripts(every: str, fast: str) -> Series:
    return _buckets("whisper_real_time_factor", every, "1.0", fast)


def _withheld(reason: str, spans: str) -> Series:
    return {f'whisper_guard_drops_total{{$pods,reason="{reason}"}}': spans}


def _audited(outcome: str, events: str) -> Series:
    return {f'whisper_audit_events_total{{$pods,sink="syslog",outcome="{outcome}"}}': events}


def _certificate(expiry: str) -> Series:
    return {
        'whisper_tls_certificate_expiry_timestamp_seconds{$pods,certificate="server"}': expiry,
        'whisper_tls_certificate_lifetime_seconds{$pods,certificate="server"}': "86400+0x80",
    }


_AUDIO: Final = {"whisper_audio_seconds_total{$pods}": "0+60x120"}
_MET_FULL: Final = "whisper_overloads_total{$pods}"
_HANDED: Final = 'whisper_handoffs_total{$pods,outcome="answered"}'
_FREE: Final = "whisper_stream_slots_free"
_STREAMS: Final = {"whisper_streams{$pods}": "4+0x40"}
_REFUSALS: Final = 'whisper_session_store_refusals_total{$pods,reason="OutOfMemoryError"}'
_UP: Final = 'up{namespace="whisper-operator",service="whisper-operator-metrics"}'
_PASSES: Final = 'whisper_operator_reconcile_errors_total{error="ApiException"}'

OF_RESOURCES: Final[Mapping[str, tuple[Case, ...]]] = {
    "WhisperDown": (
        Case(
            sick={'up{$pods,pod="a"}': "1+0x4 0+0x9 1+0x9"},
            begins=5,
            ends=15,
            well=({'up{$pods,pod="a"}': "0+0x40", 'up{$pods,pod="b"}': "1+0x40"},),
        ),
        Case(sick={'up{$pods,pod="a"}': "1 stale _x15 1+0x9"}, begins=1, ends=17, well=()),
    ),
    "WhisperErrorBudgetBurns": (
        Case(
            sick=_answers("0+108x150", "0+12x90 1080+0x60"),
            begins=1,
            ends=125,
            well=(
                _answers("0+98x400", "0+2x400"),
                # Half of ten requests in an hour.
                _answers("0+0x10 5+0x80", "0+0x10 5+0x80"),
            ),
        ),
        # Too short for six hours, after six good ones.
        Case(
            sick=_answers("0+100x360 36050+50x30 37650+100x60", "0+0x360 50+50x30 1550+0x60"),
            begins=371,
            ends=440,
            well=(),
        ),
        # Not enough for the hour: six of them have to fill.
        Case(sick=_answers("0+100x620", "0+0x360 6+6x200 1206+0x60", "503"), begins=549, ends=600, well=()),
    ),
    "WhisperErrorBudgetShrinks": (
        Case(
            sick=_answers("0+99x500", "0+1x200 200+0x300"),
            begins=11,
            ends=400,
            well=(_answers("0+996x300", "0+4x300"),),
        ),
    ),
    "WhisperErrors": (
        Case(
            sick=_answers("0+98x40", "0+2x30 60+0x10"),
            begins=1,
            ends=37,
            well=(_answers("0+1000x40", "0+9x40"), _answers("0+10x40", "0+10x40", "503")),
        ),
    ),
    "WhisperSpeedBudgetBurns": (
        Case(
            sick=_transcripts("0+100x160", "0+20x60 1300+100x100"),
            begins=1,
            ends=95,
            well=(_transcripts("0+100x400", "0+75x400"), _transcripts("0+0x10 9+0x80", "0+0x90")),
        ),
        Case(sick=_transcripts("0+100x540", "0+100x360 36000+0x60 36100+100x118"), begins=406, ends=435, well=()),
        Case(sick=_transcripts("0+100x720", "0+100x360 36060+60x300 54160+100x58"), begins=633, ends=690, well=()),
    ),
    "WhisperSpeedBudgetShrinks": (
        Case(
            sick=_transcripts("0+100x500", "0+90x100 9100+100x400"),
            begins=2,
            ends=220,
            well=(_transcripts("0+100x300", "0+96x300"),),
        ),
    ),
    "WhisperSlow": (
        Case(
            sick=_transcripts("0+100x60 6000+0x20", "0+80x60 4800+0x20"),
            begins=1,
            ends=73,
            well=(_transcripts("0+100x60", "0+95x60"),),
        ),
    ),
    "WhisperOverloaded": (
        Case(
            sick={_MET_FULL: "0+60x30 1800+0x20", _HANDED: "0+55x30 1650+0x20"},
            begins=1,
            ends=37,
            well=({_MET_FULL: "0+60x40", _HANDED: "0+58x40"}, {_MET_FULL: "7+0x40", _HANDED: "0+0x40"}),
        ),
    ),
    "WhisperQueueOld": (
        Case(
            sick={'whisper_queue_age_seconds{$pods,pod="a"}': "40+0x20 0+0x10"},
            begins=0,
            ends=21,
            well=({'whisper_queue_age_seconds{$pods,pod="a"}': "29+0x40"},),
        ),
    ),
    "WhisperStreamsFull": (
        Case(
            sick={f"{_FREE}{{$pods}}": "0+0x20 3+0x10"} | _STREAMS,
            begins=0,
            ends=21,
            well=({f'{_FREE}{{$pods,pod="a"}}': "0+0x40", f'{_FREE}{{$pods,pod="b"}}': "1+0x40"} | _STREAMS,),
        ),
    ),
    "WhisperStreamsLate": (
        Case(
            sick=_buckets("whisper_stream_lag_seconds", "0+60x30 1800+0x10", "2.0", "0+50x30 1500+0x10"),
            begins=1,
            ends=37,
            well=(_buckets("whisper_stream_lag_seconds", "0+60x40", "2.0", "0+58x40"),),
        ),
    ),
    "WhisperTextWithheld": (
        Case(
            sick=_withheld("repetition", "0+1x60 60+0x60") | _AUDIO,
            begins=1,
            ends=80,
            well=(_withheld("repetition", "0+0.25x120") | _withheld("no_voice", "0+5x120") | _AUDIO,),
        ),
    ),
    "WhisperSessionsDown": (
        Case(
            sick={
                'whisper_session_store_up{$pods,pod="a"}': "0+0x10 1+0x10",
                'whisper_session_store_up{$pods,pod="b"}': "1+0x20",
            },
            begins=0,
            ends=11,
            well=({'whisper_session_store_up{$pods,pod="a"}': "1+0x20"},),
        ),
    ),
    "WhisperSessionsRefused": (
        Case(
            sick={_REFUSALS: "0+1x20 20+0x10"},
            begins=1,
            ends=27,
            well=({_REFUSALS: "7+0x20"},),
            labels={"reason": "OutOfMemoryError"},
        ),
    ),
    "WhisperJobsWait": (
        Case(
            sick={"whisper_job_queue_age_seconds{$pods}": "1900+0x30 0+0x10"},
            begins=0,
            ends=31,
            well=({"whisper_job_queue_age_seconds{$pods}": "1700+0x40"},),
        ),
    ),
    "WhisperPasswordsOutdated": (
        Case(
            sick={"whisper_outdated_password_hashes{$pods}": "1+0x70 0+0x5"},
            begins=0,
            ends=71,
            well=({"whisper_outdated_password_hashes{$pods}": "0+0x80"},),
        ),
    ),
    "WhisperAuditLost": (
        Case(
            sick=_audited("dropped", "0+5x10 50+0x20"),
            begins=1,
            ends=28,
            well=(_audited("delivered", "0+5x30") | _audited("suppressed", "0+5x30") | _audited("refused", "3+0x30"),),
            labels={"sink": "syslog"},
        ),
    ),
    "WhisperCertificateEnds": (
        Case(
            sick=_certificate("17200+0x70 100000+0x10"),
            begins=0,
            ends=71,
            well=(_certificate("25000+0x80"),),
            labels={"certificate": "server"},
        ),
    ),
    "WhisperKeyEnds": (
        Case(
            sick={'whisper_api_key_expiry_timestamp_seconds{$pods,pod="a"}': "600000+0x70 9000000+0x10"},
            begins=0,
            ends=71,
            well=({"whisper_api_key_expiry_timestamp_seconds{$pods}": "700000+0x80"},),
        ),
    ),
}


def _condition(kind: str, values: str) -> Series:
    return {f'whisper_operator_condition{{namespace="team",name="live",type="{kind}",pod="operator-1"}}': values}


def _told(kind: str) -> Mapping[str, str]:
    return {"namespace": "team", "name": "live", "type": kind}


OF_THE_OPERATOR: Final[Mapping[str, tuple[Case, ...]]] = {
    "WhisperOperatorDown": (Case(sick={_UP: "1+0x4 0+0x14 1+0x5"}, begins=5, ends=20, well=({_UP: "1+0x40"},)),),
    "WhisperOperatorErrors": (
        Case(
            sick={_PASSES: "0+1x60 60+0x30"},
            begins=4,
            ends=80,
            well=({_PASSES: "0+1x3 3+0x40"},),
            labels={"error": "ApiException"},
            summary="Passes of the operator keep failing: ApiException.",
        ),
    ),
    "WhisperOperatorBehind": (
        Case(
            sick={"whisper_operator_reconcile_queue": "1+0x40 0+0x5"},
            begins=0,
            ends=41,
            well=({"whisper_operator_reconcile_queue": "1+0x9 0 1+0x13 0 1+0x13 0 1+0x9"},),
        ),
    ),
    "WhisperNotAvailable": (
        Case(
            sick=_condition("Available", "0+0x20 1+0x5"),
            begins=0,
            ends=21,
            well=(_condition("Available", "1+0x40"), _condition("Progressing", "0+0x40")),
            labels=_told("Available"),
            summary="team/live has not served anybody for 10 minutes.",
        ),
    ),
    "WhisperFallbackActive": (
        Case(
            sick=_condition("FallbackActive", "1+0x20 0+0x5"),
            begins=0,
            ends=21,
            well=(_condition("FallbackActive", "0+0x40"),),
            labels=_told("FallbackActive"),
            summary="A standby of team/live has stood in for a preferred device for 15 minutes.",
        ),
    ),
    "WhisperNotAccepted": (
        Case(
            sick=_condition("RedisReady", "0+0x20 1+0x5"),
            begins=0,
            ends=21,
            well=(_condition("RedisReady", "1+0x40"), _condition("Available", "0+0x40")),
            labels=_told("RedisReady"),
            summary="Something that team/live asks for cannot be done: RedisReady is not True.",
        ),
    ),
}

"""What the command line says of its work: one line for each fact. Pure."""

from collections.abc import Iterator, Sequence

from whisper_inference.cli.files import Outcome
from whisper_inference.engines.base import Capabilities
from whisper_inference.engines.factory import Attempt
from whisper_inference.transcription import Seconds


def describe_engine(capabilities: Capabilities, attempts: Sequence[Attempt]) -> Iterator[str]:
    """Say which devices were passed over and why, and which one computes."""
    for attempt in attempts:
        if attempt.problem is not None:
            yield f"Passed over {attempt.device} with {attempt.engine}: {attempt.problem}"
    simulated = ", simulated" if capabilities.simulated else ""
    yield (
        f"Device: {capabilities.device} ({capabilities.device_name}{simulated}), "
        f"engine {capabilities.engine}, precision {capabilities.precision}"
    )


def describe_outcome(outcome: Outcome) -> str:
    """Say how one file went."""
    if outcome.transcript is None:
        return f"{outcome.file}: {outcome.problem}"
    withheld = len(outcome.transcript.dropped)
    guarded = f"; the guard withheld {withheld} span{'s' if withheld > 1 else ''}" if withheld else ""
    return f"{outcome.file}: {describe_speed(outcome.transcript.duration, outcome.seconds)}{guarded}"


def describe_speed(audio: Seconds, seconds: Seconds) -> str:
    """Say how long the audio took, as a real-time factor: processing time over audio time."""
    if audio <= 0:
        return f"no audio, {seconds:.2f} s"
    return f"{audio:.1f} s of audio in {seconds:.2f} s, real-time factor {seconds / audio:.3f}"


def summarize(outcomes: Sequence[Outcome], seconds: Seconds) -> str:
    """Say how all files went together."""
    failed = sum(outcome.transcript is None for outcome in outcomes)
    audio = sum(outcome.transcript.duration for outcome in outcomes if outcome.transcript is not None)
    done = f"{len(outcomes) - failed} of {len(outcomes)} files transcribed" if failed else f"{len(outcomes)} files"
    return f"{done}: {describe_speed(audio, seconds)}"

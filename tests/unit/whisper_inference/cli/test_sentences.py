"""The command line's sentences say what happened, with the figures."""

from pathlib import Path

from whisper_inference.cli.files import Outcome
from whisper_inference.cli.sentences import describe_engine, describe_outcome, summarize
from whisper_inference.engines.base import Capabilities
from whisper_inference.engines.factory import Attempt
from whisper_inference.transcription import Dropped, DropReason, Transcript


def capabilities(*, simulated: bool = False) -> Capabilities:
    return Capabilities("openvino", "cpu", "AMD EPYC", "f32", simulated, max_rows=8, word_timestamps=True)


def outcome(duration: float = 10.0, dropped: int = 0) -> Outcome:
    withheld = tuple(Dropped(DropReason.NO_VOICE, 0.0, 1.0, "") for _ in range(dropped))
    return Outcome(Path("a.wav"), 0.5, Transcript("transcribe", "en", duration, (), withheld))


def test_the_device_and_those_before_it_are_told() -> None:
    attempts = [Attempt("npu", "openvino", "this machine has no NPU"), Attempt("cpu", "openvino", None)]
    assert list(describe_engine(capabilities(), attempts)) == [
        "Passed over npu with openvino: this machine has no NPU",
        "Device: cpu (AMD EPYC), engine openvino, precision f32",
    ]


def test_a_simulated_device_is_never_told_as_a_real_one() -> None:
    assert "(AMD EPYC, simulated)" in next(iter(describe_engine(capabilities(simulated=True), [])))


def test_an_outcome_is_told_with_its_real_time_factor() -> None:
    assert describe_outcome(outcome()) == "a.wav: 10.0 s of audio in 0.50 s, real-time factor 0.050"


def test_what_the_guard_withheld_is_told() -> None:
    assert describe_outcome(outcome(dropped=1)).endswith("; the guard withheld 1 span")
    assert describe_outcome(outcome(dropped=2)).endswith("; the guard withheld 2 spans")


def test_an_empty_file_has_no_real_time_factor() -> None:
    assert describe_outcome(outcome(duration=0.0)) == "a.wav: no audio, 0.50 s"


def test_a_failed_file_is_told_with_its_problem() -> None:
    assert describe_outcome(Outcome(Path("a.wav"), 0.1, problem="It breaks off.")) == "a.wav: It breaks off."


def test_the_summary_counts_what_failed() -> None:
    failed = Outcome(Path("b.wav"), 0.1, problem="It breaks off.")
    assert summarize([outcome(), outcome()], 0.8) == "2 files: 20.0 s of audio in 0.80 s, real-time factor 0.040"
    assert summarize([outcome(), failed], 0.8).startswith("1 of 2 files transcribed: 10.0 s of audio")

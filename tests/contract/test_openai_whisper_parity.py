"""Both engines write, token for token, what openai-whisper's own `transcribe` writes in float32 at temperature 0."""

from collections.abc import Callable, Iterator
from typing import Final

import pytest

from tests.support.checkpoints import CLIPS, MORE_CLIPS, read_clips
from tests.support.lineup import LINEUP, Contestant, load
from tests.support.transcribing import Mode, Ours, Reference, openai_transcriber, transcriber, word_error_rate
from whisper_inference.models.checkpoint import Checkpoint

CARD_ERROR_RATE = 0.065
"""Of voices that were not seen; these clips are of both kinds."""

PROMPT = "Tokyo and London in November."

ALL = tuple(read_clips(CLIPS))
SHORT = tuple(clip for clip in ALL if not clip.long)
SPOKEN = tuple(clip for clip in ALL if clip.text and clip.path.suffix in {".wav", ".flac"})
FEW = tuple(clip for clip in SHORT if clip.name in {"seen_0.wav", "unseen_1.wav", "silence_4.wav"})
EXACT_ENGINES = tuple(contestant for contestant in LINEUP if contestant.name in {"openvino-cpu-f32", "pytorch-cpu-f32"})


MODES: Final = (
    Mode("timestamps", ALL),
    Mode("no timestamps", SHORT, {"timestamps": False}, {"without_timestamps": True}),
    Mode("language detected", FEW, {"language": None}, {"language": None}),
    Mode("prompted", FEW, {"prompt": PROMPT}, {"initial_prompt": PROMPT}),
    Mode(
        "not conditioned",
        tuple(clip for clip in ALL if clip.name == "unseen_long0.flac"),
        {"condition_on_previous_text": False},
        {"condition_on_previous_text": False},
    ),
    Mode("words", FEW, {"word_timestamps": True}, {"word_timestamps": True}),
)
BEAM: Final = Mode("beam", FEW, {"beam_size": 5}, {"beam_size": 5})


@pytest.fixture(scope="module")
def theirs(demo_checkpoint: Checkpoint) -> Reference:
    return openai_transcriber(demo_checkpoint)


@pytest.fixture(scope="module", params=EXACT_ENGINES, ids=lambda contestant: contestant.name)
def ours(request: pytest.FixtureRequest, demo_checkpoint: Checkpoint) -> Iterator[Ours]:
    """Our segments, with each engine in turn."""
    contestant: Contestant = request.param
    engine = contestant.load(demo_checkpoint)
    yield transcriber(engine, demo_checkpoint)
    engine.close()


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
def test_both_write_the_same_tokens_at_the_same_times(ours: Ours, theirs: Reference, mode: Mode) -> None:
    for clip in mode.clips:
        found, wanted = ours(mode, clip), theirs(mode, clip)
        assert [list(segment.tokens) for segment in found] == [segment["tokens"] for segment in wanted], clip.name
        times = [time for segment in found for time in (segment.start, segment.end)]
        expected = [time for segment in wanted for time in (segment["start"], segment["end"])]
        assert times == pytest.approx(expected, abs=0.011), clip.name


@pytest.mark.slow
def test_words_are_the_same_and_within_a_frame_of_the_encoder(ours: Ours, theirs: Reference) -> None:
    mode = next(mode for mode in MODES if mode.name == "words")
    for clip in mode.clips:
        found = [word for segment in ours(mode, clip) for word in segment.words]
        wanted = [word for segment in theirs(mode, clip) for word in segment["words"]]
        assert [word.text for word in found] == [word["word"] for word in wanted], clip.name
        for word, expected in zip(found, wanted, strict=True):
            assert (word.start, word.end) == pytest.approx((expected["start"], expected["end"]), abs=0.0201)
            assert word.probability == pytest.approx(expected["probability"], abs=1e-3)


@pytest.mark.slow
def test_a_beam_of_five_finds_the_same_text(ours: Ours, theirs: Reference) -> None:
    for clip in BEAM.clips:
        found = [list(segment.tokens) for segment in ours(BEAM, clip)]
        assert found == [segment["tokens"] for segment in theirs(BEAM, clip)], clip.name


@pytest.mark.slow
@pytest.mark.skipif(not read_clips(MORE_CLIPS), reason="the further clips are not beside this checkout")
def test_every_further_clip_gives_the_same_tokens(ours: Ours, theirs: Reference) -> None:
    mode = Mode("timestamps", tuple(clip for clip in read_clips(MORE_CLIPS) if not clip.long))
    for clip in mode.clips:
        found = [list(segment.tokens) for segment in ours(mode, clip)]
        assert found == [segment["tokens"] for segment in theirs(mode, clip)], clip.name


@pytest.fixture(scope="module")
def error_rates(demo_checkpoint: Checkpoint) -> Callable[[str], float]:
    """Word error rates by the engine's name; each measured once."""
    known: dict[str, float] = {}

    def rate(name: str) -> float:
        if name not in known:
            engine = load(name, demo_checkpoint)
            known[name] = _error_rate(transcriber(engine, demo_checkpoint))
            engine.close()
        return known[name]

    return rate


@pytest.mark.slow
@pytest.mark.parametrize("name", ["openvino-cpu-f32", "pytorch-cpu-f32", "openvino-cpu-int8", "pytorch-cpu-bf16"])
def test_words_are_no_more_often_wrong_than_the_model_card_says(error_rates: Callable[[str], float], name: str) -> None:
    assert error_rates(name) <= CARD_ERROR_RATE


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pytorch-cpu-f32", "pytorch-cpu-bf16", "openvino-cpu-int8"])
def test_fewer_bits_cost_at_most_a_fifth_of_a_point(error_rates: Callable[[str], float], name: str) -> None:
    assert error_rates(name) <= error_rates("openvino-cpu-f32") + 0.002


def _error_rate(transcribe: Ours) -> float:
    texts = ["".join(segment.text for segment in transcribe(MODES[0], clip)) for clip in SPOKEN]
    return word_error_rate(SPOKEN, texts)

"""At base's true size: the same tokens as openai-whisper, and fewer bits cost no words."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

import pytest

from tests.support.checkpoints import CLIPS, Clip, read_clips
from tests.support.lineup import load
from tests.support.transcribing import Mode, openai_transcriber, transcriber, word_error_rate
from whisper_inference.models.checkpoint import Checkpoint
from whisper_inference.transcription import Segment

pytestmark = pytest.mark.slow

_LONG_WORDS = 30

SPOKEN = tuple(
    clip for clip in read_clips(CLIPS) if 0 < len(clip.text.split()) < _LONG_WORDS and clip.path.suffix == ".wav"
)
"""Of one window each; the long ones are read at the model's own size, where they do not take minutes."""
MODE = Mode("timestamps", SPOKEN)
SOME = SPOKEN[::4]
"""Enough where a processor without bfloat16 takes half a minute for each."""

Tokens = dict[Clip, list[int]]


@pytest.fixture(scope="module")
def tokens_of(base_checkpoint: Checkpoint) -> Iterator[Callable[[str, Sequence[Clip]], Tokens]]:
    """Clips' tokens by the engine's name; each engine reads each clip once."""
    known: dict[str, Tokens] = defaultdict(dict)

    def tokens(name: str, clips: Sequence[Clip]) -> Tokens:
        if unread := [clip for clip in clips if clip not in known[name]]:
            engine = load(name, base_checkpoint)
            transcribe = transcriber(engine, base_checkpoint)
            known[name] |= {clip: _tokens(transcribe(MODE, clip)) for clip in unread}
            engine.close()
        return {clip: known[name][clip] for clip in clips}

    yield tokens
    known.clear()


def _tokens(segments: Iterable[Segment]) -> list[int]:
    return [token for segment in segments for token in segment.tokens]


@pytest.fixture(scope="module")
def error_rate(
    base_checkpoint: Checkpoint, tokens_of: Callable[[str, Sequence[Clip]], Tokens]
) -> Callable[[str, Sequence[Clip]], float]:
    """Word error rates by the engine's name."""
    decode = base_checkpoint.tokenizer.decode
    return lambda name, clips: word_error_rate(clips, [decode(tokens) for tokens in tokens_of(name, clips).values()])


@pytest.fixture(scope="module")
def wanted(base_checkpoint: Checkpoint) -> Tokens:
    """openai-whisper's tokens of each clip."""
    transcribe = openai_transcriber(base_checkpoint)
    return {clip: [token for segment in transcribe(MODE, clip) for token in segment["tokens"]] for clip in SPOKEN}


@pytest.mark.parametrize("name", ["openvino-cpu-f32", "pytorch-cpu-f32"])
def test_every_clip_gives_the_same_tokens(
    tokens_of: Callable[[str, Sequence[Clip]], Tokens], wanted: Tokens, name: str
) -> None:
    assert tokens_of(name, SPOKEN) == wanted


@pytest.mark.parametrize(("name", "clips"), [("openvino-cpu-int8", SPOKEN), ("pytorch-cpu-bf16", SOME)])
def test_fewer_bits_cost_at_most_a_fifth_of_a_point(
    error_rate: Callable[[str, Sequence[Clip]], float], name: str, clips: Sequence[Clip]
) -> None:
    assert error_rate(name, clips) <= error_rate("openvino-cpu-f32", clips) + 0.002

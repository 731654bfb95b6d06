"""At base's true size: the same tokens as openai-whisper, and fewer bits cost no words."""

from collections.abc import Callable, Iterator

import pytest

from tests.support.checkpoints import CLIPS, read_clips
from tests.support.lineup import load
from tests.support.transcribing import Mode, openai_transcriber, transcriber, word_error_rate
from whisper_inference.models.checkpoint import Checkpoint

pytestmark = pytest.mark.slow

SPOKEN = tuple(clip for clip in read_clips(CLIPS) if clip.text and clip.path.suffix in {".wav", ".flac"})
MODE = Mode("timestamps", SPOKEN)

Tokens = list[list[int]]


@pytest.fixture(scope="module")
def tokens_of(base_checkpoint: Checkpoint) -> Iterator[Callable[[str], Tokens]]:
    """Each clip's tokens by the engine's name; each engine runs once."""
    known: dict[str, Tokens] = {}

    def tokens(name: str) -> Tokens:
        if name not in known:
            engine = load(name, base_checkpoint)
            transcribe = transcriber(engine, base_checkpoint)
            known[name] = [[token for segment in transcribe(MODE, clip) for token in segment.tokens] for clip in SPOKEN]
            engine.close()
        return known[name]

    yield tokens
    known.clear()


@pytest.fixture(scope="module")
def error_rate(base_checkpoint: Checkpoint, tokens_of: Callable[[str], Tokens]) -> Callable[[str], float]:
    """Word error rates by the engine's name."""
    decode = base_checkpoint.tokenizer.decode
    return lambda name: word_error_rate(SPOKEN, [decode(tokens) for tokens in tokens_of(name)])


@pytest.fixture(scope="module")
def wanted(base_checkpoint: Checkpoint) -> Tokens:
    """openai-whisper's tokens of each clip."""
    transcribe = openai_transcriber(base_checkpoint)
    return [[token for segment in transcribe(MODE, clip) for token in segment["tokens"]] for clip in SPOKEN]


@pytest.mark.parametrize("name", ["openvino-cpu-f32", "pytorch-cpu-f32"])
def test_every_clip_gives_the_same_tokens(tokens_of: Callable[[str], Tokens], wanted: Tokens, name: str) -> None:
    assert dict(zip(SPOKEN, tokens_of(name), strict=True)) == dict(zip(SPOKEN, wanted, strict=True))


@pytest.mark.parametrize("name", ["openvino-cpu-int8", "pytorch-cpu-bf16"])
def test_fewer_bits_cost_at_most_a_fifth_of_a_point(error_rate: Callable[[str], float], name: str) -> None:
    assert error_rate(name) <= error_rate("openvino-cpu-f32") + 0.002

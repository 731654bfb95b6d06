"""Whatever a model answers, decoding ends, keeps its rules and leaves nothing behind."""

import itertools
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.drive import run_windows
from tests.support.scripted_engine import Script, ScriptedEngine
from tests.support.speech import first_frame, sound, speaking_model
from whisper_inference.arrays import FloatArray
from whisper_inference.decoding.long_form import sequential
from whisper_inference.decoding.requests import Align, Start
from whisper_inference.decoding.searches import sampled_tokens
from whisper_inference.decoding.window import decode_window
from whisper_inference.decoding.windows import DecodingModel, WindowInput, WindowTranscript
from whisper_inference.transcription import TranscriptionOptions

SPEAKING = speaking_model()
VOCABULARY = SPEAKING.dimensions.vocabulary
END = SPEAKING.tokenizer.end_of_text
LIKELY = [END, *SPEAKING.tokenizer.encode(" and so on."), *range(SPEAKING.tokenizer.timestamp_begin, VOCABULARY, 99)]
SUPPRESSED = (LIKELY[1], LIKELY[2], SPEAKING.tokenizer.no_speech)
MODEL = DecodingModel(SPEAKING.dimensions, SPEAKING.tokenizer, SUPPRESSED)


def random_script(seed: int) -> Script:
    """Logits at random, some tokens likelier than others, so that texts end and have times."""

    def logits(key: int, tokens: tuple[int, ...]) -> FloatArray:
        state = zlib.crc32(np.asarray((seed, key, *tokens), dtype=np.int64).tobytes())
        row = np.random.default_rng(state).standard_normal(VOCABULARY, dtype=np.float32)
        row[LIKELY] += 8
        return row

    return logits


def transcribe(seconds: float, options: TranscriptionOptions, seed: int) -> tuple[list[WindowTranscript], list[int]]:
    """Transcribe a sound with such a model; also the frames at which windows began."""
    engine = ScriptedEngine(dimensions=MODEL.dimensions, script=random_script(seed), key_of=first_frame)
    windows = sequential(sound(seconds), MODEL, options)
    transcripts = run_windows(windows, lambda window: decode_window(window, MODEL, options), engine)
    assert not engine.rows
    assert not engine.windows
    return transcripts, engine.encoded


ANY_OPTIONS = st.builds(
    TranscriptionOptions,
    language=st.sampled_from([None, "en"]),
    temperatures=st.sampled_from([(0.0,), (0.0, 0.8), (0.6,)]),
    beam_size=st.sampled_from([None, 2]),
    best_of=st.sampled_from([None, 2]),
    timestamps=st.booleans(),
    word_timestamps=st.booleans(),
    logprobs=st.booleans(),
)


@settings(max_examples=12)
@given(ANY_OPTIONS, st.floats(0.01, 70.0), st.integers(0, 2**31))
def test_every_window_begins_behind_the_one_before_and_nothing_forbidden_is_written(
    options: TranscriptionOptions, seconds: float, seed: int
) -> None:
    transcripts, seeks = transcribe(seconds, options, seed)
    assert all(first < second for first, second in itertools.pairwise(seeks))
    segments = [segment for transcript in transcripts for segment in transcript.segments]
    assert not {token for segment in segments for token in segment.tokens} & {*SUPPRESSED, END}
    assert all(segment.text.strip() and segment.start != segment.end for segment in segments)
    if options.timestamps and not options.word_timestamps:
        assert all(first.end <= second.start + 1e-6 for first, second in itertools.pairwise(segments))


def test_the_same_request_gives_the_same_text_and_another_seed_another() -> None:
    options = TranscriptionOptions(language="en", temperatures=(1.0,), best_of=2)
    first, again, other = (
        transcribe(5.0, replace(options, seed=seed), 1)[0][0].segments[0].tokens for seed in (3, 3, 4)
    )
    assert first == again != other


@given(st.integers(1, 600), st.integers(0, 2**32 - 1), st.data())
def test_sampling_never_chooses_the_impossible(size: int, seed: int, data: st.DataObject) -> None:
    possible = data.draw(st.sets(st.integers(0, size - 1), min_size=1, max_size=3))
    logits = np.full((4, size), -np.inf, dtype=np.float32)
    logits[:, list(possible)] = -3.0
    chosen = sampled_tokens(0.5, np.random.default_rng(seed))(logits)
    assert set(chosen.tolist()) <= possible


def test_sampling_weighs_tokens_wherever_they_are() -> None:
    """The vocabulary is summed in blocks: the weights of different blocks must count alike."""
    logits = np.full((3000, 1000), -np.inf, dtype=np.float32)
    logits[:, [3, 255, 256, 999]] = np.log(np.array([0.1, 0.2, 0.3, 0.4], dtype=np.float32))
    chosen = sampled_tokens(1.0, np.random.default_rng(0))(logits)
    shares = [float((chosen == token).mean()) for token in (3, 255, 256, 999)]
    assert np.abs(np.array(shares) - [0.1, 0.2, 0.3, 0.4]).max() < 0.03


@settings(max_examples=20)
@given(st.integers(0, 12))
def test_a_decoding_that_is_closed_early_asks_for_nothing_more(answers: int) -> None:
    script = random_script(5)
    audio = sound(5.0)
    options = TranscriptionOptions(temperatures=(0.0,), word_timestamps=True)
    decoding = decode_window(WindowInput(audio.window(0, 500), 0, 500, None), MODEL, options)
    request = next(decoding)
    for number in range(answers):
        if isinstance(request, Align):
            break
        rows = len(request.logits_at if isinstance(request, Start) else request.tokens)
        request = decoding.send(np.stack([script(0, (number, row)) for row in range(rows)]))
    decoding.close()
    assert next(decoding, None) is None


@pytest.mark.parametrize("temperature", [1e-3, 1e-30, 5e-324])
def test_a_temperature_of_almost_nothing_draws_the_likeliest(temperature: float) -> None:
    logits = np.array([[-np.inf, 1.0, 3.0, 2.0], [5.0, -1e9, 0.0, 4.0]], dtype=np.float32)
    assert sampled_tokens(temperature, np.random.default_rng(0))(logits).tolist() == [2, 0]

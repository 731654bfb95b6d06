"""Engines and the reference that they are held against."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.support.checkpoints import Clip
from tests.support.lineup import LINEUP, Contestant, Pair
from tests.support.openai_whisper import first_window, whisper_model
from tests.support.redis_server import redis_cluster, redis_sentinel, redis_server
from tests.support.whisper_model_engine import WhisperModelEngine
from whisper_inference.arrays import FloatArray
from whisper_inference.models.checkpoint import Checkpoint


@pytest.fixture(scope="session", autouse=True)
def _torch_runs_alone() -> Iterator[None]:
    """Where other programs run, too, threads of these small models wait for each other four times as long."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def reference(demo_checkpoint: Checkpoint) -> WhisperModelEngine:
    """openai-whisper's own demo model behind the Engine protocol."""
    return WhisperModelEngine(whisper_model(demo_checkpoint))


@pytest.fixture(scope="session", params=LINEUP, ids=lambda contestant: contestant.name)
def pair(request: pytest.FixtureRequest, demo_checkpoint: Checkpoint, reference: WhisperModelEngine) -> Iterator[Pair]:
    """Each engine in turn, with the demo model, beside the reference."""
    contestant: Contestant = request.param
    engine = contestant.load(demo_checkpoint)
    yield Pair(engine, reference, contestant.tolerance)
    engine.close()


@pytest.fixture(scope="session")
def windows(clips: dict[str, Clip]) -> list[FloatArray]:
    """Features of three recordings `[80, 3000]`."""
    names = ("seen_long0.wav", "unseen_long0.flac", "silence_4.wav")
    return [first_window(clips[name].samples(), 80) for name in names]


@pytest.fixture(scope="session")
def spoken(demo_checkpoint: Checkpoint, clips: dict[str, Clip]) -> list[int]:
    """More than a whole context of tokens: a beginning, and the text of every clip."""
    tokenizer = demo_checkpoint.tokenizer
    text = [token for _ in range(2) for clip in clips.values() for token in tokenizer.encode(f" {clip.text}")]
    return [*tokenizer.start_sequence("en", "transcribe", timestamps=True), tokenizer.timestamp_begin, *text]


@pytest.fixture(scope="module", params=["memory", "redis", "cluster", "sentinel"])
def address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str | None]:
    """Where sessions are kept; `None` is memory."""
    folder: Path = tmp_path_factory.mktemp("redis")
    match request.param:
        case "redis":
            with redis_server(folder) as server:
                yield server.address
        case "cluster":
            with redis_cluster(folder) as cluster:
                yield cluster
        case "sentinel":
            with redis_sentinel(folder) as sentinel:
                yield sentinel
        case _:
            yield None

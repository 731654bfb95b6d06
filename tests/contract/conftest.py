"""Engines and the reference that they are held against."""

import os
from collections.abc import Iterator

import pytest
import torch

from tests.support.openai_whisper import whisper_model
from tests.support.whisper_model_engine import WhisperModelEngine
from whisper_inference.models.checkpoint import Checkpoint


@pytest.fixture(scope="session", autouse=True)
def _torch_keeps_to_its_cores() -> Iterator[None]:
    """Torch takes every core of the host unless told otherwise, even those that a container may not use."""
    before = torch.get_num_threads()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def reference(demo_checkpoint: Checkpoint) -> WhisperModelEngine:
    """openai-whisper's own demo model behind the Engine protocol."""
    return WhisperModelEngine(whisper_model(demo_checkpoint))

"""How few shapes the dynamic decoder meets."""

import numpy as np
import psutil

from whisper_inference.engines.openvino import OpenVinoEngine, OpenVinoSettings
from whisper_inference.engines.openvino.shapes import CAPACITY_STEP, padded_prompt, past_capacity
from whisper_inference.models.checkpoint import Checkpoint

CONTEXT = 448
MOST_GROWTH_BYTES = 64 * 2**20


def test_prompts_of_every_length_are_few_shapes_and_none_much_longer_than_its_prompt() -> None:
    padded = {tokens: padded_prompt(tokens) for tokens in range(1, CONTEXT + 1)}
    assert len(set(padded.values())) == 16
    assert all(tokens <= room <= max(4, 1.5 * tokens) for tokens, room in padded.items())


def test_the_usual_prompts_are_not_padded() -> None:
    assert [padded_prompt(tokens) for tokens in (3, 4)] == [3, 4]


def test_pasts_of_every_length_are_few_shapes() -> None:
    capacities = {positions: past_capacity(positions, CONTEXT) for positions in range(1, CONTEXT + 1)}
    assert sorted(set(capacities.values())) == [CAPACITY_STEP, 2 * CAPACITY_STEP, 4 * CAPACITY_STEP, CONTEXT]
    assert all(positions <= room for positions, room in capacities.items())


def test_memory_stays_when_prompts_have_other_lengths(random_checkpoint: Checkpoint) -> None:
    engine = OpenVinoEngine(random_checkpoint, OpenVinoSettings(precision="f32", threads=1))
    window = engine.encode(np.zeros((80, 3000), np.float32))
    process = psutil.Process()
    before = process.memory_info().rss
    for tokens in range(100, 180):
        rows, _ = engine.start(window, [1] * tokens, 1, [tokens - 1])
        engine.finish(rows)
    assert process.memory_info().rss - before < MOST_GROWTH_BYTES

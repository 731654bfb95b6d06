"""A replayed step is the step itself. Runs where there is CUDA, and says so where there is none."""

import pytest
import torch

from whisper_inference.engines.pytorch.batch import Batch
from whisper_inference.engines.pytorch.decoder import TextDecoder
from whisper_inference.engines.pytorch.layers import Layers
from whisper_inference.engines.pytorch.stepping import CapturedStepper, EagerStepper
from whisper_inference.models.checkpoint import Checkpoint

ROWS = 6


def memory(checkpoint: Checkpoint, device: torch.device) -> tuple[TextDecoder, Batch]:
    """A decoder and a batch whose rows remember different things at different lengths."""
    layers = Layers.load(checkpoint.weights, checkpoint.dimensions.text_heads, device, torch.float32, "decoder.")
    batch = Batch(checkpoint.dimensions, ROWS, device, torch.float32)
    random = torch.Generator().manual_seed(0)
    for cache in (batch.cross, batch.past):
        cache.copy_(torch.randn(cache.shape, generator=random))
    batch.set_inputs([400 + row for row in range(ROWS)], [3, 60, 0, 100, 127, 12])
    return TextDecoder(layers, checkpoint.dimensions), batch


@torch.inference_mode()
def test_rows_that_pad_a_step_change_nothing_for_the_others(demo_checkpoint: Checkpoint) -> None:
    decoder, batch = memory(demo_checkpoint, torch.device("cpu"))
    few = EagerStepper(decoder, batch).step(3, 128)
    more = EagerStepper(decoder, batch).step(ROWS, 128)
    assert torch.allclose(few, more[:3], atol=1e-3)


@torch.inference_mode()
def test_a_row_reads_its_own_past_alone_and_no_capacity_beyond_it(demo_checkpoint: Checkpoint) -> None:
    decoder, batch = memory(demo_checkpoint, torch.device("cpu"))
    before = EagerStepper(decoder, batch).step(ROWS, 128)
    batch.past[:, :, :, :, 128:] = 1e4
    assert torch.allclose(before, EagerStepper(decoder, batch).step(ROWS, 448), atol=1e-3)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@torch.inference_mode()
@pytest.mark.parametrize("rows", [1, 3, ROWS])
def test_a_captured_step_equals_an_eager_one(demo_checkpoint: Checkpoint, rows: int) -> None:
    decoder, batch = memory(demo_checkpoint, torch.device("cuda"))
    captured = CapturedStepper(decoder, batch, ROWS)
    for capacity in (128, 256, 128):
        wanted = EagerStepper(decoder, batch).step(rows, capacity)
        assert torch.allclose(captured.step(rows, capacity)[:rows], wanted, atol=1e-3)
        batch.set_inputs([500 + row for row in range(ROWS)], [4, 61, 1, 101, 100, 13])

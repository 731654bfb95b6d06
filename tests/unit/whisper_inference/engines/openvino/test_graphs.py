"""The graphs' shapes: nothing dynamic for the NPU, and caches in any compute type."""

from dataclasses import replace

import numpy as np
import openvino as ov
import pytest

from whisper_inference.arrays import FloatArray
from whisper_inference.engines.openvino.caches import CacheArray
from whisper_inference.engines.openvino.compiling import Compiler
from whisper_inference.engines.openvino.decoder_graph import DecoderShape, build_decoder
from whisper_inference.engines.openvino.decoders import DecoderAnswer, DecoderCall, DynamicDecoder, cache_dtype
from whisper_inference.engines.openvino.encoder_graph import build_encoder
from whisper_inference.engines.openvino.loading import static_shapes
from whisper_inference.models.checkpoint import Checkpoint


def is_static(model: ov.Model) -> bool:
    return all(port.partial_shape.is_static for node in model.get_ops() for port in node.outputs())


@pytest.mark.parametrize("int8", [False, True])
def test_the_npu_s_graphs_have_no_dynamic_dimension_anywhere(random_checkpoint: Checkpoint, int8: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert is_static(build_encoder(random_checkpoint, ov.Type.f16, int8=int8))
    for shape in static_shapes(random_checkpoint.dimensions.text_context):
        assert is_static(build_decoder(random_checkpoint, ov.Type.f16, shape, int8=int8))
    assert not is_static(build_decoder(random_checkpoint, ov.Type.f16, DecoderShape(), int8=int8))


def test_only_graphs_of_several_tokens_score_and_none_without_alignment_heads(random_checkpoint: Checkpoint) -> None:
    def outputs(checkpoint: Checkpoint, shape: DecoderShape) -> int:
        return len(build_decoder(checkpoint, ov.Type.f32, shape, int8=False).outputs)

    step, piece = static_shapes(random_checkpoint.dimensions.text_context)
    without = replace(random_checkpoint, alignment_heads=())
    assert [outputs(random_checkpoint, shape) for shape in (step, piece, DecoderShape())] == [5, 6, 6]
    assert [outputs(without, shape) for shape in (step, piece, DecoderShape())] == [5, 5, 5]


def answer_in(checkpoint: Checkpoint, compute: ov.Type) -> DecoderAnswer:
    """Run five tokens, then a step, with caches in a compute type."""
    compiler = Compiler(ov.Core(), "CPU", ov.Type.f32, 1, None)
    decoder = DynamicDecoder(compiler.compile(build_decoder(checkpoint, compute, DecoderShape(), int8=False)), compute)
    generator = np.random.default_rng(0)
    shapes = [(1, 2, 8, 1500), (1, 2, 1500, 8)] * 2
    cross = [as_type(generator.standard_normal(shape, dtype=np.float32), compute) for shape in shapes]
    embedded = generator.standard_normal((1, 6, 16), dtype=np.float32)
    prompt = decoder.run(DecoderCall(embedded[:, :5], cross, [0], None, [4]))
    past = [np.zeros((1, 2, 64, 8), cache_dtype(compute)) for _ in range(4)]
    for whole, new in zip(past, prompt.new, strict=True):
        whole[:, :, :5] = new
    return decoder.run(DecoderCall(embedded[:, 5:], cross, [5], past, [0]))


def as_type(array: FloatArray, compute: ov.Type) -> CacheArray:
    if compute == ov.Type.bf16:
        return (array.view(np.uint32) >> 16).astype(np.uint16)
    return array.astype(cache_dtype(compute), copy=False)


def test_caches_in_half_precision_say_nearly_the_same(random_checkpoint: Checkpoint) -> None:
    exact = answer_in(random_checkpoint, ov.Type.f32).logits
    for compute in (ov.Type.bf16, ov.Type.f16):
        rounded = answer_in(random_checkpoint, compute).logits
        assert np.abs(rounded - exact).max() < 0.05 * exact.std()

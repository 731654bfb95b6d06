"""What is computed in where: each kind of processor and what it was asked for."""

import pytest

from whisper_inference.engines.base import Device
from whisper_inference.engines.openvino.precision import (
    PrecisionChoice,
    PrecisionPlan,
    cpu_features,
    plan_precision,
    require_precision,
)
from whisper_inference.errors import UnsupportedPrecision

AVX2 = frozenset({"avx2"})
VNNI = frozenset({"avx2", "avx512_vnni"})
AVX512_BF16 = frozenset({"avx512_vnni", "avx512_bf16"})
AMX = frozenset({"avx512_vnni", "avx512_bf16", "amx_bf16"})
PLAIN = frozenset({"FP32", "INT8"})
WITH_BF16 = PLAIN | {"BF16"}
HALF = frozenset({"FP16", "INT8"})


@pytest.mark.parametrize(
    ("choice", "device", "capabilities", "features", "plan"),
    [
        ("auto", "cpu", PLAIN, AVX2, PrecisionPlan("int8", "f32", int8_decoder=True)),
        ("auto", "cpu", PLAIN, VNNI, PrecisionPlan("int8", "f32", int8_encoder=True, int8_decoder=True)),
        ("auto", "cpu", WITH_BF16, AVX512_BF16, PrecisionPlan("int8", "bf16", int8_decoder=True)),
        ("auto", "cpu", WITH_BF16, AMX, PrecisionPlan("bf16", "bf16")),
        ("auto", "npu", HALF, AVX2, PrecisionPlan("f16", "f16")),
        ("auto", "gpu", PLAIN, AVX2, PrecisionPlan("f32", "f32")),
        ("int8", "cpu", PLAIN, AVX2, PrecisionPlan("int8", "f32", int8_decoder=True)),
        ("int8", "cpu", PLAIN, VNNI, PrecisionPlan("int8", "f32", int8_encoder=True, int8_decoder=True)),
        ("int8", "cpu", WITH_BF16, AVX512_BF16, PrecisionPlan("int8", "bf16", int8_decoder=True)),
        ("int8", "cpu", WITH_BF16, AMX, PrecisionPlan("int8", "bf16", int8_decoder=True)),
        ("int8", "npu", HALF, AVX2, PrecisionPlan("int8", "f16", int8_encoder=True, int8_decoder=True)),
        ("f32", "cpu", PLAIN, AVX2, PrecisionPlan("f32", "f32")),
    ],
)
def test_a_plan_follows_from_the_wish_and_the_machine(
    choice: PrecisionChoice, device: Device, capabilities: frozenset[str], features: frozenset[str], plan: PrecisionPlan
) -> None:
    assert plan_precision(choice, device, capabilities, features) == plan


@pytest.mark.parametrize(
    ("choice", "device", "capabilities"), [("bf16", "cpu", PLAIN), ("f16", "cpu", PLAIN), ("f32", "npu", HALF)]
)
def test_what_a_device_cannot_compute_in_is_refused_with_what_it_can(
    choice: PrecisionChoice, device: Device, capabilities: frozenset[str]
) -> None:
    with pytest.raises(UnsupportedPrecision, match="ask for") as refusal:
        plan_precision(choice, device, capabilities, AVX2)
    assert refusal.value.param == "precision"


def test_features_are_the_first_processor_s_flags() -> None:
    assert cpu_features("model name : x\nflags\t\t: fpu avx2 amx_bf16\nflags : other\n") == {"fpu", "avx2", "amx_bf16"}
    assert cpu_features("") == frozenset()


def test_a_type_that_the_device_replaced_in_silence_is_refused() -> None:
    with pytest.raises(UnsupportedPrecision, match="computes in bf16 when asked for f16"):
        require_precision("f16", PrecisionPlan("f16", "f16"), "bf16")


def test_auto_and_int8_take_the_type_that_the_device_computes_in() -> None:
    require_precision("auto", PrecisionPlan("bf16", "bf16"), "f32")
    require_precision("int8", PrecisionPlan("int8", "bf16"), "f32")

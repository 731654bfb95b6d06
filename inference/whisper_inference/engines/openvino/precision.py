"""Which number format to compute in: what a device can do, and what `auto` chooses. Pure; the figures are measured."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from whisper_inference.engines.base import Device, Precision
from whisper_inference.errors import UnsupportedPrecision

PrecisionChoice: TypeAlias = Literal["auto", "f32", "bf16", "f16", "int8"]
ComputeType: TypeAlias = Literal["f32", "bf16", "f16"]

_VNNI: Final = frozenset({"avx512_vnni", "avx_vnni"})


@dataclass(frozen=True, slots=True)
class PrecisionPlan:
    """How the two graphs are built and computed."""

    precision: Precision
    """Its one-word name, as it is published: the coarsest format in it."""
    compute: ComputeType
    int8_encoder: bool = False
    int8_decoder: bool = False


def cpu_features(cpuinfo: str) -> frozenset[str]:
    """Return the processor's flags from the text of `/proc/cpuinfo`."""
    lines = (line.partition(":") for line in cpuinfo.splitlines())
    return next((frozenset(value.split()) for name, _, value in lines if name.strip() == "flags"), frozenset())


def plan_precision(
    choice: PrecisionChoice, device: Device, capabilities: frozenset[str], features: frozenset[str]
) -> PrecisionPlan:
    """Decide how to compute.

    Args:
        choice: What was asked for.
        device: Where.
        capabilities: OpenVINO's `OPTIMIZATION_CAPABILITIES` of the device, for example `BF16`, `INT8`.
        features: The processor's flags; they matter on a CPU only.

    Raises:
        UnsupportedPrecision: The device cannot compute in it.
    """
    if choice == "auto":
        return _automatic(device, capabilities, features)
    if choice == "int8":
        return _int8(device, capabilities, features)
    if choice == "f32" and device == "npu" and "FP32" not in capabilities:
        raise UnsupportedPrecision("The NPU does not compute in f32: ask for f16, int8 or auto.", param="precision")
    if choice == "bf16" and "BF16" not in capabilities:
        message = "This device has no bf16 arithmetic (on a CPU: AVX512-BF16 or AMX): ask for f32, int8 or auto."
        raise UnsupportedPrecision(message, param="precision")
    if choice == "f16" and "FP16" not in capabilities:
        message = "This device has no f16 arithmetic: ask for f32, bf16, int8 or auto."
        raise UnsupportedPrecision(message, param="precision")
    return PrecisionPlan(choice, choice)


def require_precision(choice: PrecisionChoice, plan: PrecisionPlan, real: ComputeType) -> None:
    """Refuse what a device replaced in silence: a CPU that is asked for f16 may answer in bf16.

    Raises:
        UnsupportedPrecision: It was asked for by name and is not what the device computes in.
    """
    if choice not in {"auto", "int8"} and real != plan.compute:
        message = f"This device computes in {real} when asked for {choice}: ask for {real}, int8 or auto."
        raise UnsupportedPrecision(message, param="precision")


def _automatic(device: Device, capabilities: frozenset[str], features: frozenset[str]) -> PrecisionPlan:
    if device != "cpu":
        return PrecisionPlan("f16", "f16") if "FP16" in capabilities else PrecisionPlan("f32", "f32")
    if "amx_bf16" in features and "BF16" in capabilities:
        return PrecisionPlan("bf16", "bf16")
    if "avx512_bf16" in features and "BF16" in capabilities:
        return PrecisionPlan("int8", "bf16", int8_decoder=True)
    if features & _VNNI:
        return PrecisionPlan("int8", "f32", int8_encoder=True, int8_decoder=True)
    # AVX2 alone, base: a step of 1 row 12 ms against 20, of 8 rows 41 against 48; the encoder is slower by a tenth.
    return PrecisionPlan("int8", "f32", int8_decoder=True)


def _int8(device: Device, capabilities: frozenset[str], features: frozenset[str]) -> PrecisionPlan:
    if device != "cpu":
        return PrecisionPlan("int8", "f16" if "FP16" in capabilities else "f32", int8_encoder=True, int8_decoder=True)
    compute: ComputeType = "bf16" if "BF16" in capabilities else "f32"
    # An encoder gains where activations become integers too, but where bf16 is multiplied that is a seventh of its time
    # for a word in 425 (base). Where nothing multiplies integers well, its weights would only have to be widened again.
    int8_encoder = bool(features & _VNNI) and compute == "f32"
    return PrecisionPlan("int8", compute, int8_encoder=int8_encoder, int8_decoder=True)

"""Which number format torch computes in."""

from pathlib import Path
from typing import Final, Literal, TypeAlias

import torch

from whisper_inference.errors import UnsupportedPrecision

PrecisionChoice: TypeAlias = Literal["auto", "f32", "bf16", "f16", "int8"]

_DTYPES: Final = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}


def choose_dtype(choice: PrecisionChoice, device: torch.device) -> torch.dtype:
    """Decide how to compute: bf16 where it is fast (CUDA from Ampere on, AMX), else f16 on CUDA and f32 on a CPU.

    Raises:
        UnsupportedPrecision: This engine has no integer arithmetic.
    """
    if choice == "int8":
        raise UnsupportedPrecision(
            "PyTorch does not compute in int8 here: ask for f16, bf16 or auto.", param="precision"
        )
    if choice != "auto":
        return _DTYPES[choice]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return torch.bfloat16 if "amx_bf16" in Path("/proc/cpuinfo").read_text() else torch.float32

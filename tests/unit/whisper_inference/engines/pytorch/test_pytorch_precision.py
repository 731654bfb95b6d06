"""What torch computes in, and the buckets of a captured step."""

import pytest
import torch

from whisper_inference.engines.pytorch.precision import choose_dtype
from whisper_inference.engines.pytorch.stepping import row_bucket
from whisper_inference.errors import UnsupportedPrecision

CPU = torch.device("cpu")


def test_a_named_precision_is_taken() -> None:
    assert [choose_dtype(choice, CPU) for choice in ("f32", "bf16", "f16")] == [
        torch.float32,
        torch.bfloat16,
        torch.float16,
    ]


def test_integers_are_refused() -> None:
    with pytest.raises(UnsupportedPrecision, match="int8"):
        choose_dtype("int8", CPU)


def test_rows_share_few_buckets_and_each_bucket_holds_its_rows() -> None:
    buckets = {rows: row_bucket(rows, 12) for rows in range(1, 13)}
    assert all(rows <= bucket <= 12 for rows, bucket in buckets.items())
    assert set(buckets.values()) == {1, 2, 4, 8, 12}

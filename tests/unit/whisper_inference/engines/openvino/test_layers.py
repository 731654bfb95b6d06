"""Weights as 8-bit integers."""

import numpy as np

from whisper_inference.engines.openvino.layers import quantise


def test_every_weight_is_within_half_a_step_of_its_row_s_scale() -> None:
    generator = np.random.default_rng(0)
    weight = generator.standard_normal((9000, 8), dtype=np.float32) * generator.uniform(0.001, 50, (9000, 1))
    quantised, scale = quantise(weight.astype(np.float16))
    error = np.abs(quantised * scale - weight.astype(np.float16).astype(np.float32))
    assert (error <= scale * 0.5001).all()
    assert (np.abs(quantised).max(axis=1) == 127).all()


def test_a_huge_row_costs_the_others_nothing() -> None:
    weight = np.array([[-40, 0, 0, 0], [0.01, 0.02, -0.03, 0.04]], np.float32)
    quantised, scale = quantise(weight)
    assert np.allclose(quantised * scale, weight, atol=0.04 / 254)


def test_a_row_of_zeros_stays_one() -> None:
    quantised, scale = quantise(np.zeros((2, 3), np.float16))
    assert not (quantised * scale).any()
    assert np.isfinite(scale).all()

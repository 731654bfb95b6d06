"""Whisper on PyTorch: for CUDA, and for any CPU as a second opinion."""

from whisper_inference.engines.pytorch.engine import PyTorchEngine, PyTorchSettings

__all__ = ["PyTorchEngine", "PyTorchSettings"]

"""Whisper on OpenVINO: graphs built from the weights, for Intel's NPU and GPU and for any CPU. No export, no torch."""

from whisper_inference.engines.openvino.engine import OpenVinoEngine
from whisper_inference.engines.openvino.loading import OpenVinoSettings

__all__ = ["OpenVinoEngine", "OpenVinoSettings"]

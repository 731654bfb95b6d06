"""openai-whisper, the reference: its model over a checkpoint's weights, and its features."""

import numpy as np
import torch
import whisper
from whisper.model import ModelDimensions as WhisperDimensions

from tests.support.checkpoints import SAMPLE_RATE
from whisper_inference.arrays import FloatArray
from whisper_inference.models.checkpoint import Checkpoint


def whisper_model(checkpoint: Checkpoint) -> whisper.Whisper:
    """Put a checkpoint's weights into openai-whisper's own model, in float32 on the CPU."""
    shape = checkpoint.dimensions
    model = whisper.Whisper(
        WhisperDimensions(
            n_mels=shape.mel_bins,
            n_audio_ctx=shape.audio_context,
            n_audio_state=shape.audio_width,
            n_audio_head=shape.audio_heads,
            n_audio_layer=shape.audio_layers,
            n_vocab=shape.vocabulary,
            n_text_ctx=shape.text_context,
            n_text_state=shape.text_width,
            n_text_head=shape.text_heads,
            n_text_layer=shape.text_layers,
        )
    )
    weights = {name: torch.from_numpy(weight.astype(np.float32)) for name, weight in checkpoint.weights.items()}
    model.load_state_dict(weights)
    heads = torch.zeros(shape.text_layers, shape.text_heads, dtype=torch.bool)
    for layer, head in checkpoint.alignment_heads:
        heads[layer, head] = True
    model.register_buffer("alignment_heads", heads.to_sparse(), persistent=False)
    return model.eval()


def log_mel_spectrogram(samples: FloatArray, mel_bins: int) -> FloatArray:
    """Compute openai-whisper's own features `[mel_bins, frames + 3000]`, 30 s of padding at their end."""
    features: FloatArray = whisper.log_mel_spectrogram(samples, mel_bins, padding=30 * SAMPLE_RATE).numpy()
    return features


def first_window(samples: FloatArray, mel_bins: int) -> FloatArray:
    """Compute the features `[mel_bins, 3000]` of the first 30 s."""
    return np.ascontiguousarray(log_mel_spectrogram(samples, mel_bins)[:, :3000])

"""Checkpoints and tokenizers: what a Whisper model is made of, on disk and in memory."""

"""Whisper's decoding rules, once, for every engine: pure generators that ask for logits and answer with text."""

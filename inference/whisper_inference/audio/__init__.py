"""Untrusted audio in, 16 kHz mono samples, log-mel spectrograms and voice activity out."""

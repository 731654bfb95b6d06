"""The inference server: audio in, right text out."""

"""The command line: `whisper-inference serve`, `transcribe`, `fetch-model`.

`program` declares the commands and imports what they need when they run, so that `--help` answers at once.
"""

"""Runs the command line: `python -m whisper_inference`."""

from whisper_inference.cli.program import main

if __name__ == "__main__":
    main()

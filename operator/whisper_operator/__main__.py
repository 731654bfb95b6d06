"""`python -m whisper_operator`."""

from whisper_operator.cli import build_program


def main() -> None:
    """Run the command line."""
    build_program()()


if __name__ == "__main__":
    main()

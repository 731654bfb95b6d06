"""What no engine can do, said the same way by all."""

from whisper_inference.errors import EngineFailed


def require_positions(positions: int, context: int) -> None:
    """Refuse what a row cannot hold.

    Raises:
        EngineFailed: More positions than the text context has.
    """
    if positions > context:
        raise EngineFailed(f"A row of {positions} positions is wanted; this model's text context has {context}.")

"""GPT-2's printable spelling of bytes, in which byte-pair vocabularies are written down.

Printable Latin-1 bytes stand for themselves; the other 68 stand at U+0100 and up, in order (Radford et al. 2019,
`encoder.py`).
"""

from types import MappingProxyType


def _characters() -> tuple[str, ...]:
    printable = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)}
    others = iter(range(0x100, 0x200))
    return tuple(chr(byte) if byte in printable else chr(next(others)) for byte in range(256))


CHARACTERS = _characters()
"""The character that stands for each byte."""

_BYTES = MappingProxyType({character: byte for byte, character in enumerate(CHARACTERS)})


def spell(data: bytes) -> str:
    """Write bytes in the printable alphabet."""
    return "".join(CHARACTERS[byte] for byte in data)


def unspell(text: str) -> bytes:
    """Read bytes back from the printable alphabet.

    Raises:
        KeyError: A character stands for no byte.
    """
    return bytes(_BYTES[character] for character in text)

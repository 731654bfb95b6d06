"""Convert openai-whisper's vocabularies (MIT) to the `tokenizers` JSON that the package ships.

    python scripts/make_vocabulary.py SITE_PACKAGES/whisper/assets inference/whisper_inference/models/vocabulary

A tiktoken file ranks byte strings; byte-pair encoding in `tokenizers` wants the pairs that were merged. A token's pair
is what its bytes come to under the merges ranked before it.
"""

import base64
import json
import sys
from itertools import pairwise
from pathlib import Path

from whisper_inference.models.byte_alphabet import spell

SOURCES = {"multilingual.tiktoken": "multilingual.json", "gpt2.tiktoken": "english.json"}


def read_ranks(path: Path) -> dict[bytes, int]:
    """Read a tiktoken file: one base64 byte string and its rank a line."""
    rows = (line.split(" ") for line in path.read_text().splitlines())
    return {base64.b64decode(token): int(rank) for token, rank in rows}


def merged_pair(token: bytes, ranks: dict[bytes, int]) -> tuple[bytes, bytes] | None:
    """Return the two parts whose merge makes the token, or nothing for a single byte, the empty token or a part."""
    parts = [token[index : index + 1] for index in range(len(token))]
    while len(parts) >= 2:  # noqa: PLR2004 (a pair)
        pairs = [(ranks.get(left + right, len(ranks)), index) for index, (left, right) in enumerate(pairwise(parts))]
        rank, index = min(pairs)
        if rank >= ranks[token]:
            return (parts[0], parts[1]) if rank == ranks[token] else None
        parts[index : index + 2] = [parts[index] + parts[index + 1]]
    return None


def build_vocabulary(ranks: dict[bytes, int]) -> dict[str, object]:
    """Build the `tokenizers` JSON object: byte-level BPE, no special tokens."""
    ordered = sorted(ranks, key=ranks.__getitem__)
    pairs = [pair for token in ordered if (pair := merged_pair(token, ranks)) is not None]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0",
        "added_tokens": [],
        "pre_tokenizer": byte_level,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "vocab": {spell(token): ranks[token] for token in ordered},
            "merges": [f"{spell(left)} {spell(right)}" for left, right in pairs],
        },
    }


def main(source: Path, target: Path) -> None:
    """Convert both files."""
    for name, output in SOURCES.items():
        vocabulary = build_vocabulary(read_ranks(source / name))
        text = json.dumps(vocabulary, ensure_ascii=False, separators=(",", ":"))
        (target / output).write_text(text + "\n", encoding="utf-8")
        print(f"{target / output}: {len(text.encode())} bytes")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))

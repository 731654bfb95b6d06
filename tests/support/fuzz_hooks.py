"""What schemathesis is told of this server: half of what it sends as a recording is one.

Loaded by the program that `SCHEMATHESIS_HOOKS` names it to.
"""

import itertools
from pathlib import Path
from typing import Any

import schemathesis

_CLIP = Path(__file__).parents[2] / "examples/audio/seen_2.ogg"
_turn = itertools.count()


@schemathesis.hook
def map_body(context: schemathesis.HookContext, body: Any) -> Any:  # noqa: ANN401 - the hook's own signature
    """Put a real recording in the place of bytes that nobody can decode, every other time."""
    del context
    if not isinstance(body, dict):
        return body
    sent = body.get("file")
    if isinstance(sent, bytes | str) and next(_turn) % 2:
        return body | {"file": _CLIP.read_bytes()}
    if isinstance(sent, list) and next(_turn) % 2:
        return body | {"file": [_CLIP.read_bytes() for _ in sent]}
    return body


@schemathesis.hook
def filter_body(context: schemathesis.HookContext, body: Any) -> bool:  # noqa: ANN401 - the hook's own signature
    """Leave out forms with an empty value: one counts as absent, whatever its schema says, as browsers send it."""
    del context
    return not (isinstance(body, dict) and any(value in ("", [""]) for value in body.values()))

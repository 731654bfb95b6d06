"""Whether an object is as it was asked for: so that nothing is written when nothing changed. Pure.

The API server adds defaults, so what is asked for must be contained in what is there. What is no longer asked for is
contained, too: hence the checksum of the whole manifest in an annotation.
"""

import hashlib
import json
from decimal import Decimal
from typing import Any, Final

from kubernetes.utils import parse_quantity

from whisper_operator.children.names import Manifest

_ANNOTATION: Final = "whisperoperator.dev/applied"


def stamped(manifest: Manifest) -> Manifest:
    """Return the manifest with its checksum."""
    checksum = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()[:16]
    annotations = manifest["metadata"].get("annotations", {}) | {_ANNOTATION: checksum}
    return manifest | {"metadata": manifest["metadata"] | {"annotations": annotations}}


def is_current(wanted: Manifest, live: Manifest) -> bool:
    """Say whether a stamped manifest needs no write."""
    return _contains(live, wanted)


def _contains(live: Any, wanted: Any) -> bool:  # noqa: ANN401 - any part of two manifests
    if isinstance(wanted, dict):
        return isinstance(live, dict) and all(_contains(live.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        same_length = isinstance(live, list) and len(live) == len(wanted)
        return same_length and all(_contains(*pair) for pair in zip(live, wanted, strict=True))
    return bool(live == wanted) or _same_quantity(live, wanted)


def _same_quantity(live: object, wanted: object) -> bool:
    """The API server rewrites quantities: 1000m becomes 1."""
    if not (isinstance(live, str) and isinstance(wanted, str) and wanted[:1].isdigit()):
        return False
    try:
        return Decimal(parse_quantity(live)) == Decimal(parse_quantity(wanted))
    except (ValueError, ArithmeticError):
        return False

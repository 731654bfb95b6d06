"""Look for secrets in every file of the repository; what only looks like one is listed here, with the reason.

python -m scripts.check_secrets
"""

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatch
from types import MappingProxyType
from typing import Final, NamedTuple

from detect_secrets.core.secrets_collection import SecretsCollection
from detect_secrets.settings import default_settings

LEFT_OUT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "*.png": "no text",
        "*.svg": "drawn by a program",
        "*.wav": "no text",
        "*/vocabulary/*.json": "tokens of Whisper, each of which looks random",
        "examples/models/*": "weights and their vocabulary",
        "examples/audio/*": "recordings, and what is said in them",
        "constraints.txt": "names and versions",
        "docs/openapi.json": "made from the routes, which are looked at",
        "crds/*": "made from the models, which are looked at",
        "helm/whisper-operator/templates/crd.yaml": "the same",
        "tests/golden/*": "made by the operator's builders, whose tests are looked at",
    }
)
"""Files that are not read."""

_NAMES: Final = "the name of a Secret or of its key, not what is in it"
EXPLAINED: Final[Mapping[tuple[str, str], str]] = MappingProxyType(
    {
        ("tests/*", "Secret Keyword"): "passwords and keys of tests open nothing",
        ("tests/*", "Basic Auth Credentials"): "the same",
        ("tests/*", "Hex High Entropy String"): "keys that were made up, or made for a test",
        ("tests/*", "Base64 High Entropy String"): "the same",
        (
            "tests/*",
            "Private Key",
        ): "first lines of keys, to be redacted or refused; whole ones are made when tests run",
        ("examples/*.yaml", "Secret Keyword"): _NAMES,
        ("docs/*.md", "Secret Keyword"): "examples with an ellipsis for the secret",
        ("docs/*.md", "Basic Auth Credentials"): "the words user and password",
        ("docs/audit.md", "Hex High Entropy String"): "an example's made-up id",
        ("inference/whisper_inference/routes/v1/audit.py", "Hex High Entropy String"): "the same",
        ("scripts/generate.py", "Secret Keyword"): "the name of a type",
        (
            "inference/whisper_inference/routes/documentation/__init__.py",
            "Base64 High Entropy String",
        ): "SHA-256 of the empty text",
        ("inference/whisper_inference/routes/v1/jobs.py", "Base64 High Entropy String"): "an example's made-up id",
    }
)
"""What was found and is none: by file and kind."""


class Finding(NamedTuple):
    """What looks like a secret."""

    path: str
    line: int
    kind: str


def tracked_files() -> list[str]:
    """Return what git knows, and what it would."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    return subprocess.run(listed, check=True, capture_output=True, text=True).stdout.splitlines()  # noqa: S603 - git


def find_secrets(paths: Iterable[str]) -> Iterator[Finding]:
    """Look through the files that are not left out."""
    read = [path for path in paths if not any(fnmatch(path, pattern) for pattern in LEFT_OUT)]
    secrets = SecretsCollection()
    with default_settings():
        secrets.scan_files(*read, num_processors=os.cpu_count() or 1)
    for path, found in secrets:
        yield Finding(path, found.line_number, found.type)


def is_explained(finding: Finding) -> bool:
    """Say whether the table has the reason."""
    return any(fnmatch(finding.path, path) and finding.kind == kind for path, kind in EXPLAINED)


def main(paths: Iterable[str] | None = None) -> int:
    """Print what nobody explained; return the exit code."""
    unexplained = [each for each in find_secrets(paths or tracked_files()) if not is_explained(each)]
    for finding in unexplained:
        print(f"{finding.path}:{finding.line}: {finding.kind}: take it out, or explain it in scripts/check_secrets.py.")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())

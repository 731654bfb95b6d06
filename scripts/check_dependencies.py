"""Ask whether a pinned package has a known weakness, where the service that knows can be reached.

python -m scripts.check_dependencies
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

CONSTRAINTS: Final = Path("constraints.txt")
ACCEPTED: Final[Mapping[str, str]] = MappingProxyType({})
"""Weaknesses that do not concern this project: each with the reason."""
UNREACHABLE: Final = "pip-audit: the index of known weaknesses cannot be reached from here: no dependency was checked."
_SECONDS: Final = 120


def ask(constraints: Path) -> list[dict[str, Any]] | None:
    """Return what pip-audit says of each package; `None` if it could not ask."""
    options = ["--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json", "--timeout", "10"]
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(constraints), *options]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)  # noqa: S603
        dependencies: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, json.JSONDecodeError):
        return None
    return dependencies if any("vulns" in each for each in dependencies) else None


def find_weaknesses(dependencies: list[dict[str, Any]]) -> Iterator[str]:
    """Tell each that is not accepted in a line."""
    for package in dependencies:
        for weakness in package.get("vulns", ()):
            if weakness["id"] not in ACCEPTED:
                mended = " or ".join(weakness["fix_versions"]) or "no version yet"
                yield f"{package['name']} {package['version']}: {weakness['id']}, mended in {mended}"


def main(constraints: Path = CONSTRAINTS) -> int:
    """Print what is known; return the exit code."""
    dependencies = ask(constraints)
    if dependencies is None:
        print(UNREACHABLE)
        return 0
    weaknesses = list(find_weaknesses(dependencies))
    for weakness in weaknesses:
        print(weakness)
    return 1 if weaknesses else 0


if __name__ == "__main__":
    sys.exit(main())

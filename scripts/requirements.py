"""Print what parts of this project need, so that an image has it in a layer of its own.

    python3 requirements.py inference pytorch > requirements.txt

Reads `pyproject.toml` in the working directory. Needs Python alone: the Dockerfiles start it before anything is
installed.
"""

import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path


def requirements(pyproject: str, extras: Sequence[str]) -> list[str]:
    """Return what every part needs and what these extras do, as pip reads it.

    Raises:
        SystemExit: The project has no such extra.
    """
    project = tomllib.loads(pyproject)["project"]
    offered: dict[str, list[str]] = project["optional-dependencies"]
    unknown = [extra for extra in extras if extra not in offered]
    if unknown:
        raise SystemExit(f"no extra named {', '.join(unknown)}; there are {', '.join(offered)}.")
    return [*project["dependencies"], *(each for extra in extras for each in offered[extra])]


def main(extras: Sequence[str]) -> None:
    """Print them, one a line."""
    print("\n".join(requirements(Path("pyproject.toml").read_text(encoding="utf-8"), extras)))


if __name__ == "__main__":
    main(sys.argv[1:])

"""Print the commands of the README that bear a name, so that CI runs what a reader would type.

    python3 scripts/readme_commands.py tests README.md

A block of commands bears the name in the comment on the line above it: `<!-- commands: tests -->`. Needs Python alone:
`.ci/run` starts it before anything is installed.
"""

import re
import sys
from pathlib import Path

_BLOCK = re.compile(r"^<!-- commands: (?P<name>[a-z-]+) -->\n+```sh\n(?P<commands>.*?)^```$", re.MULTILINE | re.DOTALL)


def find_commands(markdown: str) -> dict[str, str]:
    """Return each named block's commands, as they are written."""
    return {match["name"]: match["commands"] for match in _BLOCK.finditer(markdown)}


def main(name: str, readme: str) -> None:
    """Print one block.

    Raises:
        SystemExit: The file has no such block.
    """
    commands = find_commands(Path(readme).read_text(encoding="utf-8"))
    if name not in commands:
        raise SystemExit(f"{readme} has no commands named {name!r}; it has {', '.join(commands) or 'none'}.")
    print(commands[name], end="")


if __name__ == "__main__":
    main(*sys.argv[1:])

"""What a reader copies from the README are commands that exist."""

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.readme_commands import find_commands, main

ROOT = Path(__file__).parents[3]

MARKDOWN = """
Some words.

<!-- commands: demo -->
```sh
make demo
make demo AUDIO=a.wav
```

```sh
not named
```

<!-- commands: tests -->

```sh
make test
```
"""


def test_named_blocks_are_found_and_others_left() -> None:
    assert find_commands(MARKDOWN) == {"demo": "make demo\nmake demo AUDIO=a.wav\n", "tests": "make test\n"}


def test_a_missing_name_says_which_there_are(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(MARKDOWN)
    with pytest.raises(SystemExit, match="no commands named 'serve'; it has demo, tests"):
        main("serve", str(readme))


def test_the_script_prints_one_block(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(MARKDOWN)
    command = [sys.executable, str(ROOT / "scripts/readme_commands.py"), "tests", str(readme)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "make test\n"

"""Write `constraints.txt`: the version of every package that the project needs, for tests and checks too.

    make constraints

pip resolves anew, without the present pins, and installs nothing. `make` installs what the new file says next time.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

CONSTRAINTS = Path("constraints.txt")
HEADER = "# Every package that the project needs, as `make constraints` resolved them. pip obeys it as a constraint.\n"


def resolve(requirement: str) -> list[dict[str, Any]]:
    """Ask pip what it would install, and return its report's entries."""
    with TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        subprocess.run([*pip, "--report", str(report), requirement], check=True)  # noqa: S603 - pip, with our own words
        entries: list[dict[str, Any]] = json.loads(report.read_text())["install"]
        return entries


def render_constraints(entries: list[dict[str, Any]]) -> str:
    """Render one `name==version` a line, in order; what comes from a folder is the project itself."""
    pins = {
        f"{re.sub('[-_.]+', '-', entry['metadata']['name']).lower()}=={entry['metadata']['version']}"
        for entry in entries
        if "dir_info" not in entry["download_info"]
    }
    return HEADER + "".join(f"{pin}\n" for pin in sorted(pins))


if __name__ == "__main__":
    CONSTRAINTS.write_text(render_constraints(resolve(".[dev]")))

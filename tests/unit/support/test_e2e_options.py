"""What pytest is told of the end to end tests, in a process of its own."""

import subprocess
import sys
from pathlib import Path


def test_what_would_begin_too_late_is_skipped_without_an_error() -> None:
    # Found below `tests`, as in CI: where it is named itself, its hooks come in another order.
    options = ["--no-cov", "--e2e=possible", "--e2e-within=0", "-k", "test_watching", "-p", "no:cacheprovider"]
    ignored = [f"--ignore={each}" for each in Path("tests").iterdir() if each.is_dir() and each.name != "e2e"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "tests", "-q", *options, *ignored], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "no time is left for it" in done.stdout
    assert "5 skipped" in done.stdout

"""The pins are versions alone, and cover everything that is installed for the tests."""

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.pin_packages import HEADER, render_constraints

CONSTRAINTS = Path(__file__).parents[3] / "constraints.txt"


def entry(name: str, release: str, **download: object) -> dict[str, object]:
    return {"metadata": {"name": name, "version": release}, "download_info": {"url": "somewhere", **download}}


def installed_closure(requirement: Requirement, seen: set[tuple[str, str]]) -> Iterator[str]:
    """Yield the names of all packages that a requirement brings with it, extras followed."""
    name = canonicalize_name(requirement.name)
    for extra in {"", *requirement.extras}:
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        yield name
        for line in requires(name) or ():
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                yield from installed_closure(needed, seen)


def test_pins_are_sorted_names_and_versions_without_the_project() -> None:
    entries = [entry("whisper-operator", "0.1.0", dir_info={}), entry("PyYAML", "6.0"), entry("ast_serialize", "1.2")]
    entries.append(entry("boolean.py", "5.0"))
    assert render_constraints(entries) == f"{HEADER}ast-serialize==1.2\nboolean-py==5.0\npyyaml==6.0\n"


def test_every_package_is_pinned_at_the_version_that_is_tested() -> None:
    pins = dict(line.split("==") for line in CONSTRAINTS.read_text().splitlines() if not line.startswith("#"))
    names = set(installed_closure(Requirement("whisper-operator[dev]"), set())) - {"whisper-operator"}
    installed = {}
    for name in names:
        try:
            installed[name] = version(name)
        except PackageNotFoundError:  # pragma: no cover
            continue
    assert len(names) > 50
    assert {name: pins.get(name) for name in installed} == installed

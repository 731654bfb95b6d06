"""Print what an image is made of, as CycloneDX: the Python packages beside this interpreter, and Debian's.

    /opt/whisper/bin/python bill_of_materials.py whisper-inference > sbom.cdx.json

Needs Python alone: the Dockerfiles start it. The same packages give the same file: no time, no random number.
"""

import json
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any
from urllib.parse import quote

_DPKG = Path("/var/lib/dpkg/status")
_LONGEST_NAME = 100
"""Of a licence, in characters; more is its text."""


def bill(name: str, version: str, components: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return the whole bill of a program."""
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": name,
                "name": name,
                "version": version,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            }
        },
        "components": sorted(components, key=lambda each: str(each["purl"])),
    }


def python_packages(found: Iterable[Distribution]) -> Iterator[dict[str, Any]]:
    """Yield what is installed beside an interpreter, once each."""
    for name, version, licence in sorted({(each.name, each.version, _licence(each)) for each in found}):
        told = [{"license": {"name": licence}}] if licence else []
        plain = name.lower().replace("_", "-")
        yield _component(name, version, f"pkg:pypi/{plain}@{quote(version)}", told)


def debian_packages(status: str) -> Iterator[dict[str, Any]]:
    """Yield what dpkg's list says is installed."""
    for paragraph in status.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if ": " in line and line[0] != " ")
        if fields.get("Status", "").endswith(" installed"):
            name, version = fields["Package"], fields["Version"]
            purl = f"pkg:deb/debian/{quote(name)}@{quote(version)}?arch={fields['Architecture']}"
            yield _component(name, version, purl, [])


def _component(name: str, version: str, purl: str, licences: list[dict[str, Any]]) -> dict[str, Any]:
    told = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
    return told | ({"licenses": licences} if licences else {})


def _licence(package: Distribution) -> str:
    """Return a package's licence in its own words; empty where it has none, or pasted the text."""
    told = package.metadata.json
    said = str(told.get("license_expression") or told.get("license") or "")
    return said if len(said) < _LONGEST_NAME and "\n" not in said else ""


def main(name: str) -> None:
    """Print the bill."""
    version = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    system = debian_packages(_DPKG.read_text(encoding="utf-8")) if _DPKG.exists() else ()
    print(json.dumps(bill(name, version, [*python_packages(distributions()), *system]), indent=1))


if __name__ == "__main__":
    main(sys.argv[1])

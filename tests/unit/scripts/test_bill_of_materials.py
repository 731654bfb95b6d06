"""What an image says that it is made of."""

import json
from importlib.metadata import distributions, version
from typing import Final

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from scripts.bill_of_materials import bill, debian_packages, main, python_packages

_STATUS: Final = """Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9+deb12u10
Description: GNU C Library
 more: of it

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1
"""


def test_the_bill_of_this_environment_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    main("whisper-inference")
    printed = capsys.readouterr().out
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(printed) is None
    listed = {each["name"].lower(): each for each in json.loads(printed)["components"]}
    assert listed["openvino"]["version"] == version("openvino")
    assert listed["openvino"]["purl"] == f"pkg:pypi/openvino@{version('openvino')}"


def test_only_what_is_installed_of_debian_s_is_listed() -> None:
    (only,) = debian_packages(_STATUS)
    assert only["purl"] == "pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64"


def test_the_same_packages_give_the_same_bill() -> None:
    both = [bill("x", "1", python_packages(distributions())) for _ in range(2)]
    assert both[0] == both[1]
    assert [each["purl"] for each in both[0]["components"]] == sorted({each["purl"] for each in both[0]["components"]})

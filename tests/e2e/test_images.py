"""What is in the server's image, as a pod of it runs, and how soon it is ready."""

import json
from datetime import datetime
from importlib.metadata import version
from typing import Any, Final

import pytest

from tests.support.site import Site
from tests.support.stages import Stages

pytestmark = pytest.mark.e2e

_LOOK: Final = """
import importlib.util, json, os, shutil
def writes(path):
    try:
        open(path + "/x", "w").close()
    except OSError as problem:
        return type(problem).__name__
    return "written"
print(json.dumps({
    "user": os.getuid(), "root": writes("/"), "program": writes("/opt/whisper"),
    "pip": importlib.util.find_spec("pip") is not None, "torch": importlib.util.find_spec("torch") is not None,
    "compilers": [name for name in ("gcc", "cc", "c++", "g++", "ld") if shutil.which(name)],
    "bill": json.load(open("/opt/whisper/sbom.cdx.json")),
}))
"""


def pod_of(site: Site) -> dict[str, Any]:
    """Return the quickstart's pod."""
    (pod,) = site.read("pods -l app.kubernetes.io/instance=demo")["items"]
    return dict(pod)


def test_a_pod_is_nobody_can_write_nothing_and_says_what_it_is_made_of(quickstart: Site, stages: Stages) -> None:
    with stages.stage("look into the server's pod") as seen:
        name = pod_of(quickstart)["metadata"]["name"]
        found = json.loads(quickstart.shell(f"kubectl exec -i {name} -- python -", _LOOK))
        bill = {each["purl"] for each in found.pop("bill")["components"]}
        assert found == {
            "user": 65532,
            "root": "OSError",
            "program": "OSError",
            "pip": False,
            "torch": False,
            "compilers": [],
        }
        assert f"pkg:pypi/openvino@{version('openvino')}" in bill
        assert any(purl.startswith("pkg:deb/debian/libc6@") for purl in bill)
        seen.append(f"user 65532, read-only, no pip, torch or compiler; {len(bill)} packages in its CycloneDX file")


def test_the_seconds_from_its_start_to_ready_are_told(quickstart: Site, stages: Stages) -> None:
    with stages.stage("from the container's start to ready") as seen:
        status = pod_of(quickstart)["status"]
        (container,) = status["containerStatuses"]
        began = datetime.fromisoformat(container["state"]["running"]["startedAt"])
        (ready,) = [each for each in status["conditions"] if each["type"] == "Ready"]
        seconds = (datetime.fromisoformat(ready["lastTransitionTime"]) - began).total_seconds()
        # How many they are is the machine's: seconds on an idle one, minutes on one that is shared. It never restarted.
        seen.append(f"{seconds:.0f} s, with nothing in the cache")
        assert container["restartCount"] == 0

"""A person on the node who asks a resource's servers with curl."""

import json
import re
from typing import NamedTuple

from tests.support.samples import samples
from tests.support.site import Site
from whisper_contract.surface import DEVICE_HEADER, METRICS_PATH, TRANSCRIPTIONS_PATH


class Answer(NamedTuple):
    """What came back."""

    status: int
    device: str | None
    """What computed it, as its header says."""
    text: str


class Caller:
    """Asks through a resource's Service, with the key from its Secret."""

    def __init__(self, site: Site, name: str) -> None:
        self._site = site
        self._url = f"http://{site.read(f'service/{name}')['spec']['clusterIP']}"
        self._key = site.keys(name)["API_KEY"]

    def send(self, file: str) -> Answer:
        """Send a file to be transcribed."""
        return _read(self._curl(f"-i -F file=@{file} -F model=whisper-1 {self._url}{TRANSCRIPTIONS_PATH}"))

    def look(self, times: int) -> None:
        """Ask so many times for the list of models."""
        self._curl(f"-o /dev/null {self._url}/v1/models?n=[1-{times}]")

    def _curl(self, options: str) -> str:
        # The key is read from the standard input: other people on the node could read it in the list of processes.
        return self._site.shell(f"curl -sS --max-time 60 -H @- {options}", f"Authorization: Bearer {self._key}")


def _read(said: str) -> Answer:
    head, _, body = said.removeprefix("HTTP/1.1 100 Continue\n\n").partition("\n\n")
    status = int(head.split()[1])
    device = re.search(rf"^{DEVICE_HEADER}: (\S+)", head, re.MULTILINE | re.IGNORECASE)
    text = str(json.loads(body)["text"]) if status == 200 else body
    return Answer(status, device and device[1], text)


def measured(site: Site, address: str, name: str, /, **labels: str) -> float | None:
    """Return a sample that a program publishes, by its name and labels among others; `None` if it does not."""
    published = site.shell(f"curl -sS http://{address}{METRICS_PATH}")
    return next(iter(samples(published, name, **labels)), None)

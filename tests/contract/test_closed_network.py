"""A pod that fetches its model from a mirror, by a proxy, with an authority of its own: what the operator tells it."""

import os
import ssl
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

import trustme

from tests.support.certificates import write_authorities
from tests.support.forward_proxy import forward_proxy
from tests.support.hub_server import HubRepository, running_hub
from tests.support.resources import DEFAULTS, resource
from whisper_operator.children.pod import build_pod_spec
from whisper_operator.children.volumes import CA_FILE, CACHE_FOLDER

MIRROR: Final = "hub.closed.example"
"""A name that has no address."""
MODEL: Final = "speech/listener"
FILES: Final = {
    "config.json": b'{"d_model": 128}',
    "preprocessor_config.json": b"{}",
    "generation_config.json": b"{}",
    "tokenizer.json": b'{"model": 1}' * 200,
    "model.safetensors": bytes(range(256)) * 40,
}


def fetch(folder: Path, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the container that fetches the model as its pod would, with this machine's folders."""
    owner = resource(model={"name": MODEL, "source": {"huggingFace": {}}})
    defaults = replace(DEFAULTS, pod_env=variables, ca_config_map="ca")
    (container,) = build_pod_spec(owner, owner.spec.pools[0], defaults)["initContainers"]
    here = {CA_FILE: str(folder / "ca.crt"), CACHE_FOLDER: str(folder / "cache")}
    told = {each["name"]: here.get(each["value"], each["value"]) for each in container["env"]}
    command = [sys.executable, "-m", "whisper_inference", *container["args"]]
    return subprocess.run(command, env=os.environ | told, capture_output=True, text=True, check=False)


def test_a_model_is_fetched_through_a_proxy_from_a_mirror_that_the_pods_trust(tmp_path: Path) -> None:
    authority = trustme.CA()  # nobody else vouches for the mirror
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(MIRROR).configure_cert(context)
    write_authorities(tmp_path / "ca.crt", authority)
    with (
        running_hub({MODEL: HubRepository(dict(FILES))}, context) as hub,
        forward_proxy(int(hub.endpoint.rpartition(":")[2])) as proxy,
    ):
        told = {"HF_ENDPOINT": f"https://{MIRROR}", "HTTPS_PROXY": proxy.url, "NO_PROXY": ".svc"}
        fetched = fetch(tmp_path, told)
    assert fetched.returncode == 0, fetched.stderr
    assert Path(fetched.stdout.strip()).is_relative_to(tmp_path / "cache")
    assert {path.name for path in Path(fetched.stdout.strip()).iterdir()} >= FILES.keys()
    assert set(proxy.asked) == {f"{MIRROR}:443"}

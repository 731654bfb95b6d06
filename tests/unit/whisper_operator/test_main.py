"""The operator as its image starts it."""

import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Final

import yaml

from tests.support.patience import eventually
from whisper_operator.play.ports import free_port

_AS_A_USER_WITHOUT_A_NAME: Final = """
import getpass

def no_name():
    raise KeyError("getpwuid(): uid not found: 65532")

getpass.getuser = no_name
from whisper_operator.__main__ import main
main()
"""


def test_it_starts_as_a_user_without_a_name(tmp_path: Path) -> None:
    named = {"name": "none"}
    context = {"cluster": "none", "user": "none"}
    cluster = {"server": f"https://127.0.0.1:{free_port()}"}
    kubeconfig = tmp_path / "kubeconfig"
    content = {
        "clusters": [named | {"cluster": cluster}],
        "users": [named | {"user": {"token": "none"}}],
        "contexts": [named | {"context": context}],
    }
    kubeconfig.write_text(yaml.safe_dump(content | {"current-context": "none"}))
    health = free_port()
    environment = os.environ | {
        "KUBECONFIG": str(kubeconfig),
        "WHISPER_OPERATOR_HEALTH_PORT": str(health),
        "WHISPER_OPERATOR_METRICS_PORT": str(free_port()),
    }
    command = [sys.executable, "-c", _AS_A_USER_WITHOUT_A_NAME, "run"]
    log = tmp_path / "log"
    with log.open("wb") as output, subprocess.Popen(command, env=environment, stdout=output, stderr=output) as process:

        def answers() -> bool:
            if process.poll() is not None:
                return True
            with urllib.request.urlopen(f"http://127.0.0.1:{health}/healthz", timeout=5) as answer:
                return bool(answer.status == 200)

        try:
            eventually(answers)
            assert process.poll() is None, log.read_text()[-2000:]
        finally:
            process.kill()

"""The operator as a process."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.patience import PATIENCE_SECONDS
from whisper_operator.play.ports import free_port


class Operator:
    """`whisper-operator run`, for some namespaces; for none named, all."""

    def __init__(self, kubeconfig: Path, namespaces: Sequence[str], log: Path) -> None:
        self.metrics_port, self.health_port = free_port(), free_port()
        self._environment = os.environ | {
            "KUBECONFIG": str(kubeconfig),
            "WHISPER_OPERATOR_NAMESPACES": json.dumps(namespaces),
            "WHISPER_OPERATOR_METRICS_PORT": str(self.metrics_port),
            "WHISPER_OPERATOR_HEALTH_PORT": str(self.health_port),
        }
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        with self._log.open("ab") as log:
            command = [sys.executable, "-m", "whisper_operator", "run"]
            self._process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def said(self) -> list[str]:
        """The lines of its log."""
        return self._log.read_text().splitlines()

    def kill(self) -> None:
        """Kill it, with no time to say goodbye."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> int:
        """Ask it to end; return its exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(PATIENCE_SECONDS)

    @contextmanager
    def running(self, resync_seconds: str = "5") -> Iterator["Operator"]:
        """Run it while the block does."""
        self._environment["WHISPER_OPERATOR_RESYNC_SECONDS"] = resync_seconds
        self.start()
        try:
            yield self
        finally:
            self.kill()
            sys.stdout.write(self._log.read_text(errors="replace")[-4000:])

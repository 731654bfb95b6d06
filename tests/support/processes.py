"""Programs that run beside a test: here, or sealed off in namespaces that end with them."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final, Protocol

import psutil

_STOP_SECONDS: Final = 20
_INIT: Final = Path(__file__).with_name("node_init.py")
_NAMESPACES: Final = ("--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")


class Processes(Protocol):
    """Starts and ends programs by name."""

    def start(self, name: str, command: Sequence[str], folder: Path) -> None:
        """Start a program in a folder, where its log is `NAME.log`."""

    def stop(self, name: str, seconds: float = _STOP_SECONDS) -> None:
        """Ask it to end, and kill it if it does not in time; nothing if it does not run."""

    def is_running(self, name: str) -> bool:
        """Whether it was started and has not ended."""

    def command(self, command: Sequence[str]) -> list[str]:
        """Return what runs a command where the programs are."""

    def close(self) -> None:
        """End all that is left."""


class LocalProcesses:
    """Children of this process."""

    def __init__(self) -> None:
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, command: Sequence[str], folder: Path) -> None:
        """Start a program in a folder, where its log is `NAME.log`."""
        with (folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)

    def stop(self, name: str, seconds: float = _STOP_SECONDS) -> None:
        """Ask it to end, and kill it if it does not in time."""
        process = self._running.pop(name, None)
        if process is None:
            return
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def is_running(self, name: str) -> bool:
        """Whether it was started and has not ended."""
        return name in self._running and self._running[name].poll() is None

    def command(self, command: Sequence[str]) -> list[str]:
        """Return the command as it is."""
        return list(command)

    def close(self) -> None:
        """End all that is left."""
        for name in list(self._running):
            self.stop(name)


class SealedProcesses:
    """Programs with mounts, network and process numbers of their own.

    Their first process (`node_init.py`) is told by lines what to start. When its input ends, because we end it or
    because we are killed, the kernel kills every process in there, and the mounts and the network go with the last.

    Args:
        folder: Of the node; files that programs would leave in the machine's folders are kept there.
        address: The node's only one.
    """

    def __init__(self, folder: Path, address: str) -> None:
        command = ["unshare", *_NAMESPACES, "--", sys.executable, "-I", str(_INIT), str(folder), address]
        self._init: Final = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, cwd=folder
        )
        self._ask({})
        (first,) = psutil.Process(self._init.pid).children()
        self._pid: Final = first.pid

    def start(self, name: str, command: Sequence[str], folder: Path) -> None:
        """Start a program in a folder, where its log is `NAME.log`."""
        self._ask({"start": name, "command": list(command), "folder": str(folder)})

    def stop(self, name: str, seconds: float = _STOP_SECONDS) -> None:
        """Ask it to end, and kill it if it does not in time."""
        self._ask({"stop": name, "seconds": seconds})

    def is_running(self, name: str) -> bool:
        """Whether it was started and has not ended."""
        return bool(self._ask({"is_running": name})["running"])

    def command(self, command: Sequence[str]) -> list[str]:
        """Return what runs a command in their network; everything else it finds as outside."""
        return ["nsenter", f"--net=/proc/{self._pid}/ns/net", "--", *command]

    def inside(self, command: Sequence[str]) -> list[str]:
        """Return what runs a command in all of their namespaces."""
        return ["nsenter", f"--target={self._pid}", "--mount", "--net", "--pid", "--", *command]

    def close(self) -> None:
        """End everything."""
        _input(self._init).close()
        self._init.wait()
        _output(self._init).close()

    def _ask(self, what: Mapping[str, Any]) -> dict[str, Any]:
        _input(self._init).write(json.dumps(what) + "\n")
        answer = _output(self._init).readline()
        if not answer:
            raise RuntimeError(f"the node's first process ended; it was asked: {what}")
        return dict(json.loads(answer))


def sealing_problem() -> str | None:
    """Say why programs cannot be sealed off here, if they cannot."""
    missing = [name for name in ("unshare", "nsenter", "mount", "ip") if shutil.which(name) is None]
    if missing:
        return f"{', '.join(missing)}: install util-linux and iproute2"
    if os.geteuid() != 0:
        return "root, to make namespaces and mounts"
    tried = subprocess.run(
        [shutil.which("unshare") or "unshare", *_NAMESPACES, "--", "true"], capture_output=True, text=True, check=False
    )
    return f"the right to make namespaces ({tried.stderr.strip()})" if tried.returncode else None


def _input(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdin is not None
    return process.stdin


def _output(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdout is not None
    return process.stdout

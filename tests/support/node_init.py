"""The first process of a node's namespaces: starts and ends what it is told to, and takes everything along at its end.

    python node_init.py FOLDER ADDRESS

Reads a request in each line, `{"start": NAME, "command": [...], "folder": ...}`, `{"stop": NAME, "seconds": 20}`,
`{"is_running": NAME}`, and answers each in a line. Knows Python's own library alone: it is run as a file.
"""

import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

_OWN_FOLDERS: Final = ("/var/lib", "/var/log", "/opt")
"""Where a node's programs write without being asked."""
_ENOUGH_BYTES: Final = 8 * 2**30
"""Of memory, for images in it."""
_MACHINE_WIDE: Final = (
    "/proc/sys/vm/overcommit_memory",
    "/proc/sys/vm/panic_on_oom",
    "/proc/sys/kernel/panic",
    "/proc/sys/kernel/panic_on_oops",
    "/proc/sys/kernel/keys/root_maxkeys",
    "/proc/sys/kernel/keys/root_maxbytes",
)
"""What a kubelet sets, and no namespace keeps from the machine."""


class Children:
    """The programs, by name."""

    def __init__(self) -> None:
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what a line asks for."""
        if "start" in request:
            self._start(request["start"], request["command"], Path(request["folder"]))
        elif "stop" in request:
            self._stop(request["stop"], request["seconds"])
        elif "is_running" in request:
            process = self._running.get(request["is_running"])
            return {"running": process is not None and process.poll() is None}
        return {}

    def reap(self) -> None:
        """Take leave of the dead: those whose parents are gone are ours."""
        pids = {process.pid: process for process in self._running.values()}
        while True:
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if found is None:
                return
            if found.si_pid in pids:
                pids[found.si_pid].poll()
            else:
                os.waitpid(found.si_pid, 0)

    def _start(self, name: str, command: Sequence[str], folder: Path) -> None:
        with (folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder
            )

    def _stop(self, name: str, seconds: float) -> None:
        process = self._running.pop(name, None)
        if process is None:
            return
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def seal(folder: Path) -> None:
    """Put folders and files of the node's own where its programs would change the machine's."""
    _run("mount", "-t", "tmpfs", "tmpfs", "/run")
    images = folder / "images"
    images.mkdir()
    if _available_bytes() > _ENOUGH_BYTES:
        # A gigabyte of small files: on a busy disk it takes minutes to write and to remove them.
        _run("mount", "-t", "tmpfs", "tmpfs", str(images))
    for own in _OWN_FOLDERS:
        kept, work = (folder / kind / own.replace("/", "-") for kind in ("written", "work"))
        kept.mkdir(parents=True)
        work.mkdir(parents=True)
        options = f"lowerdir={own},upperdir={kept},workdir={work}"
        _run("mount", "-t", "overlay", "overlay", "-o", options, own)
    for number, setting in enumerate(_MACHINE_WIDE):
        kept = folder / "written" / f"setting-{number}"
        kept.write_bytes(Path(setting).read_bytes())
        _run("mount", "--bind", str(kept), setting)


def _available_bytes() -> int:
    lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    return int(lines["MemAvailable"].split()[0]) * 1024


def connect(address: str) -> None:
    """Give the node its address; nothing that it sends leaves the namespace."""
    _run("ip", "link", "set", "lo", "up")
    # A bridge, because not every kernel has dummy devices.
    _run("ip", "link", "add", "node0", "type", "bridge")
    _run("ip", "addr", "add", f"{address}/24", "dev", "node0")
    _run("ip", "link", "set", "node0", "up")
    _run("ip", "route", "add", "default", "via", f"{address.rpartition('.')[0]}.254", "dev", "node0")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


def requests(children: Children) -> Iterator[dict[str, Any]]:
    """Yield what is asked for, until the input ends."""
    pending = b""
    while True:
        ready, _, _ = select.select([0], [], [], 1.0)
        children.reap()
        if not ready:
            continue
        read = os.read(0, 65536)
        if not read:
            return
        *lines, pending = (pending + read).split(b"\n")
        yield from (json.loads(line) for line in lines)


def main(folder: Path, address: str) -> None:
    """Serve until the input ends."""
    seal(folder)
    connect(address)
    children = Children()
    for request in requests(children):
        sys.stdout.write(json.dumps(children.answer(request)) + "\n")
        sys.stdout.flush()


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=sys.stderr)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])

"""`whisper-operator play`: keys, the stage, the front door, and what is printed."""

import asyncio
import json
import os
import secrets
import signal
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import urllib3

from whisper_contract.surface import DEVICE_HEADER, TRANSCRIPTIONS_PATH
from whisper_operator.api.resource import WhisperDeployment
from whisper_operator.children.credentials import ADMIN_PASSWORD, API_KEY, SECRET_KEY
from whisper_operator.play.front_door import open_front_door
from whisper_operator.play.local_pod import Machine
from whisper_operator.play.stage import Stage


class PlayFailed(Exception):
    """No pool serves, or a file could not be transcribed."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for on the command line."""

    port: int
    files: Sequence[Path]
    """To transcribe, and then end; with none the servers run until Ctrl-C."""
    cache: Path
    models: Mapping[str, Path]


async def play(owner: WhisperDeployment, wish: Wish, say: Callable[[str], None], show: Callable[[str], None]) -> None:
    """Play a resource until Ctrl-C, or until its files are transcribed.

    Raises:
        PlayFailed: No pool serves, or a file could not be transcribed.
    """
    keys = {name: secrets.token_urlsafe(32) for name in (API_KEY, ADMIN_PASSWORD, SECRET_KEY)}
    with tempfile.TemporaryDirectory(prefix="whisper-") as folder:
        for name, value in keys.items():
            _write_secret(Path(folder, name), value)
        stage = Stage(owner, Machine(wish.cache, Path(folder), wish.models), lambda: datetime.now(UTC), say)
        running = asyncio.create_task(stage.run())
        stopped = _on_signals()
        door = await open_front_door(wish.port, lambda: stage.port)
        try:
            url = f"http://127.0.0.1:{door.sockets[0].getsockname()[1]}"
            if not await _ready(stage, stopped):
                return
            if wish.files:
                for file in wish.files:
                    show(await asyncio.to_thread(_transcribe, url, keys[API_KEY], file, say))
                return
            say(f"\nURL       {url}\nKey       {keys[API_KEY]}\nUser      admin\nPassword  {keys[ADMIN_PASSWORD]}\n")
            if owner.spec.redis is not None:
                say("There is no Redis here: each pool keeps its own sessions.\n")
            if owner.spec.tls is not None:
                say("There is no certificate here: it speaks plain HTTP, on loopback alone.\n")
            if owner.spec.audit.syslog is not None or owner.spec.audit.http is not None:
                say("There is no SIEM here: the audit is in the log, and at /api/v1/audit.\n")
            say("Ctrl-C ends it.")
            await stopped.wait()
        finally:
            door.close()
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


async def _ready(stage: Stage, stopped: asyncio.Event) -> bool:
    while stage.port is None:
        if stage.hopeless is not None:
            raise PlayFailed(stage.hopeless)
        with suppress(TimeoutError):
            async with asyncio.timeout(0.1):
                await stopped.wait()
            return False
    return True


def _on_signals() -> asyncio.Event:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    return stopped


def _write_secret(path: Path, content: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(content)


def _transcribe(url: str, key: str, file: Path, say: Callable[[str], None]) -> str:
    fields: dict[str, str | tuple[str, bytes]] = {"file": (file.name, file.read_bytes()), "model": "whisper-1"}
    began = time.monotonic()
    answer = urllib3.request(
        "POST", f"{url}{TRANSCRIPTIONS_PATH}", fields=fields, headers={"Authorization": f"Bearer {key}"}, timeout=600
    )
    elapsed = time.monotonic() - began
    body = json.loads(answer.data)
    if answer.status != 200:  # noqa: PLR2004 - RFC 9110
        raise PlayFailed(f"{file}: {body['error']['message']}")
    audio = float(body["usage"]["seconds"])
    device = answer.headers[DEVICE_HEADER]
    say(f"{file}: {audio:.1f} s of audio on {device} in {elapsed:.1f} s, real-time factor {elapsed / audio:.3f}")
    return str(body["text"])

"""Asks without pause until SIGTERM, then prints how that went, as JSON: `load.py URL FILE [session]`.

Of those who ask, some send recordings and some ask for the models; some keep their connection, some open one for each
request, and some keep it and pause for longer than a moment. None tries anything twice. With `session` they log in as
admin first, and all use that one session.
"""

import asyncio
import json
import os
import random
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

_TIMEOUT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Habit:
    """How somebody asks."""

    name: str
    speaks: bool
    """Sends a recording; else asks for the models."""
    keeps: bool
    """The connection."""
    pause: tuple[float, float]
    """Seconds between an answer and the next request, at least and at most."""


HABITS = (
    Habit("speaks and keeps its connection", speaks=True, keeps=True, pause=(0, 0)),
    Habit("speaks over a new connection", speaks=True, keeps=False, pause=(0, 0)),
    Habit("reads and keeps its connection", speaks=False, keeps=True, pause=(0.05, 0.05)),
    Habit("reads over a new connection", speaks=False, keeps=False, pause=(0.05, 0.05)),
    *(Habit("reads now and then", speaks=False, keeps=True, pause=(0.5, 4)) for _ in range(10)),
)


class Load:
    """Clients of one server, or of whichever replica is behind its address."""

    def __init__(self, url: str, audio: bytes, headers: dict[str, str]) -> None:
        self._url, self._audio, self._headers = url, audio, headers
        self._stop = asyncio.Event()
        self.sent: dict[str, int] = {}
        self.failed: list[str] = []
        self.longest_seconds = 0.0
        self.texts: set[str] = set()

    async def run(self) -> None:
        """Ask until the signal."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._stop.set)
        sys.stderr.write("asking\n")
        async with asyncio.TaskGroup() as group:
            for habit in HABITS:
                group.create_task(self._keep_asking(habit))

    async def _keep_asking(self, habit: Habit) -> None:
        client = self._client()
        while not self._stop.is_set():
            if not habit.keeps:
                await client.aclose()
                client = self._client()
            await self._ask(client, habit)
            await asyncio.sleep(random.uniform(*habit.pause))  # noqa: S311 - no secret
        await client.aclose()

    def _client(self) -> httpx.AsyncClient:
        # A connection is kept until the server ends it.
        limits = httpx.Limits(keepalive_expiry=None)
        return httpx.AsyncClient(base_url=self._url, headers=self._headers, timeout=_TIMEOUT_SECONDS, limits=limits)

    async def _ask(self, client: httpx.AsyncClient, habit: Habit) -> None:
        began = time.monotonic()
        self.sent[habit.name] = self.sent.get(habit.name, 0) + 1
        try:
            answer = await (self._speak(client) if habit.speaks else client.get("/v1/models"))
        except httpx.HTTPError as problem:
            self._fail(habit, repr(problem))
            return
        if answer.status_code != httpx.codes.OK:
            self._fail(habit, f"{answer.status_code} {answer.text[:200]}")
        elif habit.speaks:
            self.texts.add(answer.json()["text"])
        self.longest_seconds = max(self.longest_seconds, time.monotonic() - began)

    async def _speak(self, client: httpx.AsyncClient) -> httpx.Response:
        files = {"file": ("clip.wav", self._audio)}
        return await client.post("/v1/audio/transcriptions", data={"model": "whisper-1"}, files=files)

    def _fail(self, habit: Habit, how: str) -> None:
        self.failed.append(f"{time.strftime('%X')} {habit.name}: {how}")


def log_in(url: str) -> str:
    """Return the token of a new session."""
    login = {"username": "admin", "password": os.environ["ADMIN_PASSWORD"]}
    answer = httpx.post(f"{url}/api/v1/auth/login", json=login, timeout=_TIMEOUT_SECONDS).raise_for_status()
    return str(answer.json()["token"])


def main(url: str, file: str, *session: str) -> None:
    """Ask, and print."""
    token = log_in(url) if session else os.environ["OPENAI_API_KEY"]
    load = Load(url, Path(file).read_bytes(), {"Authorization": f"Bearer {token}"})
    asyncio.run(load.run())
    report = {"sent": load.sent, "failed": load.failed, "longest_seconds": round(load.longest_seconds, 2)}
    sys.stdout.write(json.dumps(report | {"texts": sorted(load.texts)}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Measure what logins and sessions cost: `python -m tests.benchmarks.logins`.

A password's check, in a process of its own so that its memory is seen; a thousand sessions in memory and in a Redis;
and how long it takes to say whose a session is. Needs Linux.
"""

import asyncio
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from tests.support.redis_server import RedisServer, redis_server
from whisper_inference.security.passwords import Argon2Parameters, Passwords, hash_password
from whisper_inference.security.tokens import owner_tag
from whisper_inference.sessions.availability import Availability
from whisper_inference.sessions.login import LoginSessions
from whisper_inference.sessions.memory import MemoryStore
from whisper_inference.sessions.redis import RedisStore
from whisper_inference.sessions.redis_address import connect
from whisper_inference.sessions.redis_link import RedisLink
from whisper_inference.sessions.store import SessionId, SessionStore

_CHECKS: Final = 10
_SESSIONS: Final = 1000
_PASSWORD: Final = "a long passphrase of somebody"
_TURN: Final = "turn"
"""The argument with which the process that checks passwords is started."""
_PARAMETERS: Final = Argon2Parameters()


async def check_passwords(at_once: int, hashed: str) -> None:
    """Check passwords; print how long one takes, and how much memory all took."""
    passwords = Passwords(_PARAMETERS)
    await passwords.check(
        hash_password(_PASSWORD, Argon2Parameters(8192, 1, 1)), _PASSWORD
    )  # loads what is loaded once
    before, busy = _peak_mib(), time.process_time()
    taken: list[float] = []

    async def check() -> None:
        began = time.perf_counter()
        if not await passwords.check(hashed, _PASSWORD):
            raise RuntimeError("a right password was refused")
        taken.append(time.perf_counter() - began)

    for _ in range(_CHECKS):
        await asyncio.gather(*(check() for _ in range(at_once)))
    sys.stdout.write(
        f"{at_once} logins at once: {statistics.median(taken):.2f} s each, the fastest {min(taken):.2f} s, "
        f"{(time.process_time() - busy) / len(taken):.2f} s of processor time each, "
        f"{_peak_mib() - before:.0f} MiB together\n"
    )


def measure_passwords() -> None:
    """Check passwords in processes of their own: a peak of memory is never forgotten."""
    hashed = hash_password(_PASSWORD, _PARAMETERS)
    for at_once in (1, 2, 8):
        program = (sys.executable, "-m", "tests.benchmarks.logins", _TURN, str(at_once), hashed)
        subprocess.run(program, check=True)


async def measure_sessions(server: RedisServer) -> None:
    """Open a thousand sessions, of as many people, in either store."""
    tracemalloc.start()
    memory, before = MemoryStore(time.monotonic), tracemalloc.get_traced_memory()[0]
    keys = await _open(memory)
    kib = (tracemalloc.get_traced_memory()[0] - before) / 1024
    tracemalloc.stop()
    await _report("memory", memory, keys, kib)
    link = RedisLink(connect(server.address), Availability(time.monotonic, lambda _: None))
    shared = RedisStore(link)
    await shared.held_for("nobody")  # opens the connection, which takes memory, too
    used = _redis_bytes(server)
    keys = await _open(shared)
    await _report("Redis", shared, keys, (_redis_bytes(server) - used) / 1024)
    await link.close()


async def _open(store: SessionStore) -> list[SessionId]:
    sessions = _sessions(store)
    keys = [SessionId(owner_tag(f"person-{number}"), secrets.token_hex(32)) for number in range(_SESSIONS)]
    for number, key in enumerate(keys):
        await sessions.open(key, f"person-{number}", secrets.token_hex(32))
    return keys


async def _report(name: str, store: SessionStore, keys: list[SessionId], kib: float) -> None:
    sessions, taken = _sessions(store), []
    for key in keys:
        began = time.perf_counter()
        if await sessions.find(key) is None:
            raise RuntimeError("a session was lost")
        taken.append((time.perf_counter() - began) * 1000)
    tenth = statistics.quantiles(taken, n=10)[0]
    sys.stdout.write(
        f"{name}: {_SESSIONS} sessions take {kib:.0f} KiB; finding one takes {statistics.median(taken):.3f} ms, "
        f"the fastest tenth {tenth:.3f} ms\n"
    )


def _sessions(store: SessionStore) -> LoginSessions:
    return LoginSessions(store, lambda: datetime.now(UTC), idle=timedelta(minutes=15), absolute=timedelta(hours=8))


def _redis_bytes(server: RedisServer) -> int:
    return int(server.client.info("memory")["used_memory"])


def _peak_mib() -> float:
    """Return the most memory that this program has held; `getrusage` would begin with its parent's."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def main() -> None:
    """Measure all of it on a Redis of its own."""
    measure_passwords()
    with tempfile.TemporaryDirectory() as folder, redis_server(Path(folder)) as server:
        asyncio.run(measure_sessions(server))
    sys.stdout.write(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")


if __name__ == "__main__":
    if sys.argv[1:2] == [_TURN]:
        asyncio.run(check_passwords(int(sys.argv[2]), sys.argv[3]))
    else:
        main()

"""Measure limits and quotas: how exact they are, and what they cost a request.

python -m tests.benchmarks.limits
"""

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from tests.support.redis_server import redis_server
from whisper_inference.errors import RateLimited
from whisper_inference.quotas.meter import Meter
from whisper_inference.quotas.opening import make_quota_store
from whisper_inference.quotas.quota import Allowance, Consumer, Quota
from whisper_inference.quotas.store import LeaseClass
from whisper_inference.security.rate_limits import RateClass, RateLimits
from whisper_inference.sessions.availability import Availability
from whisper_inference.sessions.redis_address import connect
from whisper_inference.sessions.redis_link import RedisLink

_PROCESSES: Final = 4
_LIMIT: Final = 1000
_ROUNDS: Final = 2000
_TURN: Final = "turn"
"""The argument with which a process of the first measurement is started."""


class Counting(NamedTuple):
    """What a server counts with."""

    limits: RateLimits
    meter: Meter


@asynccontextmanager
async def counting(address: str | None, rate: str) -> AsyncIterator[Counting]:
    """Open it; `None` is memory."""
    link = None
    if address is not None:
        link = RedisLink(connect(address), Availability(time.monotonic, lambda _: None))
    try:
        meter = Meter(Allowance(None, 64, 64), make_quota_store(link), lambda: datetime.now(UTC))
        yield Counting(RateLimits(dict.fromkeys(RateClass, rate), link), meter)
    finally:
        if link is not None:
            await link.close()


async def ask(address: str, who: str) -> None:
    """Ask as often as the limit is, many at once; print how often it was allowed."""
    async with counting(address, f"{_LIMIT}/hour") as server:

        async def once(_: int) -> bool:
            try:
                await server.limits.take(RateClass.READS, who)
            except RateLimited:
                return False
            return True

        sys.stdout.write(f"{sum(await asyncio.gather(*map(once, range(_LIMIT))))}\n")


def measure_accuracy(address: str) -> None:
    """Let several processes ask at once, each as often as all of them may."""
    program = (sys.executable, "-m", "tests.benchmarks.limits", _TURN, address, uuid.uuid4().hex)
    started = [subprocess.Popen(program, stdout=subprocess.PIPE) for _ in range(_PROCESSES)]
    passed = [int(process.communicate()[0]) for process in started]
    sys.stdout.write(f"{_LIMIT} were allowed: {_PROCESSES} processes let {sum(passed)} of {_PROCESSES * _LIMIT} pass")
    sys.stdout.write(f" ({sum(passed) / _LIMIT - 1:+.2%}): {passed}\n")


async def measure_cost(name: str, address: str | None) -> None:
    """Time what is done to one request after another."""
    async with counting(address, "1000000/second") as server:
        consumer = Consumer(f"key:{uuid.uuid4().hex}")
        bounded = Consumer(consumer.credential, Quota(audio_seconds_per_day=10**9))

        async def limit() -> None:
            await server.limits.take(RateClass.TRANSCRIPTIONS, consumer.credential)

        async def lease() -> None:
            async with server.meter.admit(consumer, LeaseClass.REQUESTS) as metered, metered(5.0):
                pass

        async def lease_and_quota() -> None:
            async with server.meter.admit(bounded, LeaseClass.REQUESTS) as metered, metered(5.0):
                pass

        for work in (limit, lease, lease_and_quota):
            await _time(f"{name}: {work.__name__.replace('_', ' ')}", work)


async def _time(name: str, work: Callable[[], Awaitable[None]]) -> None:
    taken, busy = [], time.process_time()
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        await work()
        taken.append((time.perf_counter() - began) * 1000)
    processor = (time.process_time() - busy) * 1000 / _ROUNDS
    tenth = statistics.quantiles(taken, n=10)[0]
    sys.stdout.write(
        f"{name}: {statistics.median(taken):.3f} ms median, {tenth:.3f} ms for the fastest tenth, "
        f"{processor:.3f} ms of processor time\n"
    )


def main() -> None:
    """Measure all of it on a Redis of its own."""
    with tempfile.TemporaryDirectory() as folder, redis_server(Path(folder)) as server:
        measure_accuracy(server.address)
        asyncio.run(measure_cost("memory", None))
        asyncio.run(measure_cost("Redis", server.address))


if __name__ == "__main__":
    if sys.argv[1:2] == [_TURN]:
        asyncio.run(ask(sys.argv[2], sys.argv[3]))
    else:
        main()

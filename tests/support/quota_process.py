"""What one server counts with; run by itself, a process that holds leases until it is killed.

python -m tests.support.quota_process ADDRESS CREDENTIAL LEASES LEASE_SECONDS
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta

from whisper_inference.quotas.meter import Meter
from whisper_inference.quotas.opening import make_quota_store
from whisper_inference.quotas.quota import Allowance, Consumer
from whisper_inference.quotas.store import LeaseClass, QuotaStore
from whisper_inference.sessions.availability import Availability
from whisper_inference.sessions.redis_address import connect
from whisper_inference.sessions.redis_link import RedisLink


@asynccontextmanager
async def quota_store(address: str | None) -> AsyncIterator[QuotaStore]:
    """Open the store of one server; `None` is memory."""
    if address is None:
        yield make_quota_store(None)
        return
    link = RedisLink(connect(address), Availability(time.monotonic, lambda _: None))
    try:
        yield make_quota_store(link)
    finally:
        await link.close()


async def hold(address: str, credential: str, leases: int, lease: timedelta) -> None:
    """Hold leases for good."""
    async with quota_store(address) as store, AsyncExitStack() as stack:
        meter = Meter(Allowance(None, leases, leases), store, lambda: datetime.now(UTC), lease=lease)
        for _ in range(leases):
            await stack.enter_async_context(meter.admit(Consumer(credential), LeaseClass.REQUESTS))
        sys.stdout.write("held\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(hold(sys.argv[1], sys.argv[2], int(sys.argv[3]), timedelta(seconds=float(sys.argv[4]))))

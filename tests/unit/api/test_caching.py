from __future__ import annotations

import asyncio
import time

from segue.api.caching import CachedValue


def test_concurrent_requests_compute_the_value_once_and_an_expired_value_is_computed_again() -> None:
    computed = []

    def compute() -> int:
        time.sleep(0.05)
        computed.append(1)
        return len(computed)

    async def requests() -> None:
        value = CachedValue(compute, max_age_s=60)
        assert await asyncio.gather(*(value.get() for _ in range(50))) == [1] * 50
        expired = CachedValue(compute, max_age_s=0)
        assert [await expired.get(), await expired.get()] == [2, 3]

    asyncio.run(requests())

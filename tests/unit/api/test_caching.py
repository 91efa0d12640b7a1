from __future__ import annotations

import asyncio
import time

import pytest

from segue.api import caching
from segue.api.caching import CachedValue


def test_concurrent_requests_compute_the_value_once_and_an_expired_value_is_computed_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    computed = []

    def compute() -> int:
        time.sleep(0.05)
        computed.append(1)
        return len(computed)

    async def requests() -> None:
        value = CachedValue(compute)
        assert await asyncio.gather(*(value.get() for _ in range(50))) == [1] * 50
        monkeypatch.setattr(caching, "MAX_AGE_S", 0.0)
        assert await value.get() == 2

    asyncio.run(requests())

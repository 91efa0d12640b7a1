from __future__ import annotations

import asyncio
import time

import pytest

from segue.api import caching
from segue.api.caching import Lately


def test_many_who_ask_at_once_cost_one_thread_and_later_ones_hear_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def ask() -> int:
        time.sleep(0.05)
        asked.append(1)
        return len(asked)

    async def many() -> None:
        tell = Lately(ask)
        assert await asyncio.gather(*(tell() for _ in range(50))) == [1] * 50
        monkeypatch.setattr(caching, "KEPT_S", 0.0)
        assert await tell() == 2

    asyncio.run(many())

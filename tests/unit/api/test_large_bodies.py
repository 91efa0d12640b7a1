from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

import pytest

from segue.api import large_bodies
from segue.api.errors import ApiError
from segue.api.large_bodies import LARGE_BYTES, LargeBodies, Processing


async def reading(_: Any, receive: Any, send: Any) -> None:
    while (await receive())["more_body"]:
        pass
    await send({})


def uploads(sizes: list[int], at_once: int, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Send bodies of these sizes, all of which are under way before the first ends; return which are received."""
    monkeypatch.setattr(large_bodies, "RECEIVED_AT_ONCE", at_once)

    async def run() -> list[bool]:
        app, end = LargeBodies(reading), asyncio.Event()

        async def upload(size: int) -> bool:
            parts = [size, 0]

            async def receive() -> dict[str, Any]:
                part = parts.pop(0)
                if not parts:
                    await end.wait()
                return {"type": "http.request", "body": b"x" * part, "more_body": bool(parts)}

            async def send(_: Any) -> None:
                pass

            try:
                await app({"type": "http"}, receive, send)
            except ApiError as error:
                return error.status is not HTTPStatus.SERVICE_UNAVAILABLE
            return True

        under_way = [asyncio.create_task(upload(size)) for size in sizes]
        await asyncio.sleep(0.05)
        end.set()
        received = [await task for task in under_way]
        assert await upload(LARGE_BYTES + 1)  # the slots are free again
        return received

    return asyncio.run(run())


def test_only_some_large_bodies_are_received_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    large = [LARGE_BYTES + 1] * 5
    assert uploads(large, 3, monkeypatch) == [True, True, True, False, False]


def test_small_bodies_are_always_received(monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(uploads([LARGE_BYTES] * 50, 1, monkeypatch))


def test_large_bodies_are_processed_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_bodies, "PROCESSED_AT_ONCE", 2)

    async def run() -> int:
        processing, now, most = Processing(), 0, 0

        async def process() -> None:
            nonlocal now, most
            async with processing.slot(LARGE_BYTES + 1):
                now += 1
                most = max(most, now)
                await asyncio.sleep(0)
                now -= 1

        await asyncio.gather(*(process() for _ in range(12)))
        return most

    assert asyncio.run(run()) == 2


def test_who_waits_too_long_for_processing_may_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_bodies, "PROCESSED_AT_ONCE", 1)
    monkeypatch.setattr(large_bodies, "WAIT_S", 0.05)

    async def run() -> None:
        processing = Processing()
        async with processing.slot(LARGE_BYTES + 1):
            async with processing.slot(LARGE_BYTES):
                pass
            with pytest.raises(ApiError, match="Too many large requests"):
                async with processing.slot(LARGE_BYTES + 1):
                    pass

    asyncio.run(run())

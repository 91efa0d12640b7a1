from __future__ import annotations

import asyncio

import pytest

from segue.listens.writer import EventWriter, NotWritten


def test_an_error_of_any_kind_is_told_and_the_thread_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: EventWriter) -> None:
        raise RuntimeError("a bug of the client")

    async def attempts() -> None:
        writer = EventWriter({})
        writer.start()
        for _ in range(2):
            with pytest.raises(NotWritten, match="a bug of the client"):
                await writer.write("listens", [(b"k", b"v")] * 3)
        assert writer.pending == 0
        writer.close()

    monkeypatch.setattr(EventWriter, "_connected", broken)
    asyncio.run(attempts())

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

import pytest
from fastapi import Request

from segue.api.access import read_body
from segue.api.errors import ApiError


def test_a_player_that_goes_away_in_the_middle_is_no_error_of_the_api() -> None:
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": b'{"listen', "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    with pytest.raises(ApiError) as refusal:
        asyncio.run(read_body(Request({"type": "http", "method": "POST", "headers": []}, receive)))
    assert refusal.value.status is HTTPStatus.BAD_REQUEST

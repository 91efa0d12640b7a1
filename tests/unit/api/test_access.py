from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

import pytest
from fastapi import Request

from segue.api.access import body_of_user, read_body
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


def test_a_token_that_is_revoked_while_the_body_arrives_is_refused() -> None:
    users: list[str | None] = ["ann"]

    async def current_user() -> str | None:
        return users[0]

    async def receive() -> dict[str, Any]:
        users[0] = None
        return {"type": "http.request", "body": b"{}", "more_body": False}

    request = Request({"type": "http", "method": "POST", "headers": []}, receive)
    request.state.current_user = current_user
    with pytest.raises(ApiError) as refusal:
        asyncio.run(body_of_user(request, "ann"))
    assert refusal.value.status is HTTPStatus.UNAUTHORIZED

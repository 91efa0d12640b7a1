"""No answer of the database about a token is trusted for longer than `CACHED_S` after it was asked."""

from __future__ import annotations

import time
from typing import Any

import pytest
from pymongo.errors import PyMongoError, ServerSelectionTimeoutError

from segue.api import accounts
from segue.api.accounts import TokenCache


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that the test sets."""
    now = [1_000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_an_expired_entry_names_no_user(clock: list[float]) -> None:
    cache = TokenCache(lambda _: "ann")
    assert cache.look_up("token") == "ann"
    assert cache.fresh("token") == (True, "ann")
    clock[0] += accounts.CACHED_S
    assert cache.fresh("token") == (False, None)
    assert cache.was_valid("token")  # so it is looked up again, even if its address has exceeded its limit
    assert not cache.was_valid("another")


def test_a_slow_answer_is_as_old_as_its_question(clock: list[float]) -> None:
    def find(_: str) -> str:
        clock[0] += 4  # the token is revoked meanwhile
        return "ann"

    cache = TokenCache(find)
    cache.look_up("token")
    clock[0] += accounts.CACHED_S - 4
    assert cache.fresh("token") == (False, None)


def test_without_the_database_nobody_is_known(clock: list[float]) -> None:
    answers: list[Any] = ["ann", ServerSelectionTimeoutError("away")]

    def find(_: str) -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    cache = TokenCache(find)
    cache.look_up("token")
    clock[0] += accounts.CACHED_S
    with pytest.raises(PyMongoError):
        cache.look_up("token")
    assert cache.fresh("token") == (False, None)

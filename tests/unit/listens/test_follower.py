from __future__ import annotations

import time

import pytest
from pymongo import MongoClient

from segue.listens import follower
from segue.listens.follower import Follower
from segue.settings import Settings


def test_an_error_of_any_kind_is_told_and_the_thread_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = []

    def broken(_: Follower) -> None:
        attempts.append(1)
        raise RuntimeError("a bug")

    monkeypatch.setattr(Follower, "_follow", broken)
    monkeypatch.setattr(follower, "RETRY_S", 0.01)
    following = Follower(Settings(), MongoClient(connect=False)["segue"])
    following.start()
    until = time.monotonic() + 60
    while len(attempts) < 3 and time.monotonic() < until:
        time.sleep(0.01)
    assert following.error == "RuntimeError: a bug"
    following.close()
    assert len(attempts) >= 3
